"""Causal models: named variables, who depends on whom, and what an intervention makes of the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from mibench.core.errors import DataError, UsageError
from mibench.core.names import did_you_mean, unknown
from mibench.tasks.interchange import Setting

JOINT = "+"
"""Stands between variables that are interchanged together: ``answer_pointer+answer``."""


@dataclass(frozen=True)
class Variable:
    """A node of a causal model.

    Attributes:
        name: What users write.
        parents: Variables that it depends on.
        mechanism: Its value from the parents' values, given in their order; None: it is an input.
        domain: Values that it can have; None: any.
        doc: What it stands for, one line.
    """

    name: str
    parents: tuple[str, ...] = ()
    mechanism: Callable[..., Any] | None = None
    domain: Collection[Any] | None = None
    doc: str = ""


@dataclass(frozen=True)
class CausalModel:
    """A deterministic causal model: a directed acyclic graph with one mechanism a variable.

    Attributes:
        name: Whose model it is, for errors.
        variables: All variables, in any order.
        output: The variable that stands for the answer.

    Raises:
        DataError: Two variables share a name, a parent is unknown, the graph has a cycle, an input has parents, or
            the output is not one of the variables.
    """

    name: str
    variables: tuple[Variable, ...]
    output: str = "raw_output"

    def __post_init__(self) -> None:
        names = [variable.name for variable in self.variables]
        double = [name for name, count in Counter(names).items() if count > 1]
        if double:
            raise self._wrong(f"Two variables are called '{double[0]}'.", "Give every variable its own name.")
        for variable in self.variables:
            self._check_variable(variable, names)
        if self.output not in names:
            raise self._wrong(f"Its output '{self.output}' is no variable.", did_you_mean(self.output, names))
        self.order  # noqa: B018  a cycle is refused here, not at the first run

    @cached_property
    def order(self) -> tuple[Variable, ...]:
        """The variables, each after its parents.

        Raises:
            DataError: The graph has a cycle.
        """
        by_name = {variable.name: variable for variable in self.variables}
        try:
            names = tuple(TopologicalSorter({name: one.parents for name, one in by_name.items()}).static_order())
        except CycleError as error:
            cycle = " → ".join(error.args[1])
            raise self._wrong(f"Variables depend on themselves: {cycle}.", "Take one of the parents out.") from error
        return tuple(by_name[name] for name in names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all variables, as declared."""
        return tuple(variable.name for variable in self.variables)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the variables without a mechanism."""
        return tuple(variable.name for variable in self.variables if variable.mechanism is None)

    def run(self, inputs: Setting) -> dict[str, Any]:
        """Return the values of all variables.

        Raises:
            DataError: An input is missing, a name is not an input's, or a value is outside its domain.
        """
        return self.intervene(inputs, {})

    def intervene(self, inputs: Setting, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all variables, with those in ``values`` set whatever their parents say.

        Raises:
            UsageError: An unknown variable is set.
            DataError: As for :meth:`run`.
        """
        for name in values:
            self._known(name)
        if set(inputs) != set(self.inputs):
            missing = sorted(set(self.inputs) - set(inputs)) or sorted(set(inputs) - set(self.inputs))
            why = f"'{missing[0]}' is missing from them or is not an input; the inputs are {', '.join(self.inputs)}."
            raise self._wrong(f"The inputs do not fit. {why}", "Give a value for each input, and for nothing else.")
        setting: dict[str, Any] = {}
        for variable in self.order:
            setting[variable.name] = self._value(variable, inputs, values, setting)
        return setting

    def interchange(self, base: Setting, sources: Mapping[str, Setting]) -> dict[str, Any]:
        """Return the values of all variables for ``base``, each named variable set as its own source has it.

        Args:
            base: Inputs.
            sources: Inputs by variable; all variables are set together.

        Raises:
            UsageError: A variable is unknown.
            DataError: As for :meth:`run`.
        """
        for name in sources:
            self._known(name)
        return self.intervene(base, {name: self.run(source)[name] for name, source in sources.items()})

    def interchange_on(self, variable: str, base: Setting, source: Setting) -> dict[str, Any]:
        """Return :meth:`interchange` for a cell's variable, or several joined by ``+``, from one source.

        Raises:
            UsageError: A variable is unknown or is named twice.
            DataError: As for :meth:`run`.
        """
        found = self.run(source)
        return self.intervene(base, {name: found[name] for name in self.parts(variable)})

    def parts(self, variable: str) -> tuple[str, ...]:
        """Return the variables that ``variable`` names: one, or several joined by ``+``.

        Raises:
            UsageError: One is unknown or is named twice.
        """
        names = tuple(variable.split(JOINT))
        for name in names:
            self._known(name)
        if len(set(names)) < len(names):
            raise UsageError(f"'{variable}' names a variable twice.", why="One is set once.", do="Name it once.")
        return names

    def graph(self) -> str:
        """Return the model as text: the inputs, then a line ``parents → variable`` for each other variable.

        What follows a line's two spaces says what the variable stands for.
        """
        lines = [("inputs: " + ", ".join(self.inputs), "")]
        for variable in self.order:
            if variable.mechanism is not None:
                lines.append((f"{', '.join(variable.parents)} → {variable.name}", variable.doc))
        width = max(len(line) for line, _ in lines[1:]) if len(lines) > 1 else 0
        return "\n".join(f"{line:<{width}}  {doc}".rstrip() for line, doc in lines)

    def _value(self, variable: Variable, inputs: Setting, values: Setting, setting: Setting) -> Any:
        if variable.name in values:
            value = values[variable.name]
        elif variable.mechanism is None:
            value = inputs[variable.name]
        else:
            value = variable.mechanism(*(setting[parent] for parent in variable.parents))
        if variable.domain is not None and value not in variable.domain:
            why = f"'{variable.name}' is {value!r:.100}, which is not one of its values."
            raise self._wrong(why, "Correct the inputs or the domain.")
        return value

    def _check_variable(self, variable: Variable, names: Collection[str]) -> None:
        if not variable.name or JOINT in variable.name:
            raise self._wrong(f"'{variable.name}' is no name for a variable.", f"Use a word without '{JOINT}'.")
        if variable.mechanism is None and variable.parents:
            raise self._wrong(f"'{variable.name}' has parents and no mechanism.", "Give it one, or no parents.")
        for parent in variable.parents:
            if parent not in names:
                raise self._wrong(f"'{variable.name}' depends on '{parent}', which is no variable.", "Declare it.")

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise unknown("variable", name, self.names)

    def _wrong(self, why: str, do: str) -> DataError:
        return DataError(f"The causal model '{self.name}' cannot be used.", why=why, do=do)
