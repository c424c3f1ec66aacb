// Sorting and filtering of the tables of a track. Without it, every table is there, best row first.
"use strict";
(function () {
  const tools = document.querySelector("form.tools");
  const groups = Array.from(document.querySelectorAll("section.group"));

  // Sorting: a button in each heading that has an order, and a choice for narrow screens.

  function key(row, column) {
    const cell = row.cells[column];
    if (!cell || row.cells.length <= column) return null;
    if (cell.dataset.text !== undefined) return cell.dataset.text;
    return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
  }

  function compare(a, b) {
    if (typeof a === "string") return a < b ? -1 : a > b ? 1 : 0;
    return a - b;
  }

  // Rows without a number stay last, whichever way the others are sorted.
  function sort(table, column, direction) {
    const body = table.tBodies[0];
    const sign = direction === "ascending" ? 1 : -1;
    const keyed = Array.from(body.rows, (row) => [key(row, column), row]);
    keyed.sort(function ([a], [b]) {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b);
    });
    body.append(...keyed.map(([, row]) => row));
    Array.from(table.tHead.rows[0].cells).forEach(function (head, index) {
      if (index === column) head.setAttribute("aria-sort", direction);
      else head.removeAttribute("aria-sort");
    });
  }

  function direction(head) {
    const first = head.dataset.first === "down" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    return head.getAttribute("aria-sort") === first ? other : first;
  }

  function prepare(table) {
    const heads = Array.from(table.tHead.rows[0].cells);
    const select = document.createElement("select");
    heads.forEach(function (head, column) {
      const name = head.querySelector(".name");
      if (!name) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...name.childNodes);
      name.replaceWith(button);
      button.addEventListener("click", () => sort(table, column, direction(head)));
      select.add(new Option(button.textContent.trim(), String(column)));
    });
    const label = document.createElement("label");
    label.className = "sorter";
    label.append("Sort by ", select);
    select.addEventListener("change", function () {
      const column = Number(select.value);
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      sort(table, column, direction(heads[column]));
    });
    table.closest(".scroll").before(label);
  }

  document.querySelectorAll("section.group table.board").forEach(prepare);

  // Filtering, and the switch between conventions.

  if (!tools) return;
  tools.hidden = false;
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", apply);
  tools.addEventListener("change", apply);
  addEventListener("hashchange", reveal);

  function value(name) {
    const field = tools.elements[name];
    return field ? field.value : "";
  }

  // A place that has the chosen convention shows that one alone; one that has not shows what it has.
  function fits(group, wanted) {
    const had = group.closest("section.place").dataset.conventions.split(" ");
    if (wanted.convention && had.includes(wanted.convention) && group.dataset.convention !== wanted.convention) return false;
    return ["task", "model", "split"].every((name) => !wanted[name] || group.dataset[name] === wanted[name]);
  }

  function filterRows(group, text) {
    let shown = 0;
    group.querySelectorAll(".board tbody tr").forEach(function (row) {
      const name = row.querySelector("th[data-text]");
      row.hidden = Boolean(text) && !(name && name.dataset.text.includes(text));
      if (!row.hidden && !row.closest(".families")) shown += 1;
    });
    // Rows that are looked for are not left folded away.
    if (text && shown) group.querySelectorAll("details").forEach((one) => { one.open = true; });
    return shown;
  }

  function apply() {
    const wanted = { convention: value("convention"), task: value("task"), model: value("model"), split: value("split") };
    const text = value("method").trim().toLowerCase();
    let tables = 0;
    let rows = 0;
    groups.forEach(function (group) {
      const shown = fits(group, wanted) ? filterRows(group, text) : 0;
      group.hidden = shown === 0;
      if (shown) tables += 1;
      rows += shown;
    });
    document.querySelectorAll("section.place").forEach(function (place) {
      place.hidden = !place.querySelector("section.group:not([hidden])");
    });
    document.querySelector(".nothing").hidden = tables > 0;
    tools.querySelector(".count").textContent = `${tables} table${tables === 1 ? "" : "s"}, ${rows} row${rows === 1 ? "" : "s"}`;
  }

  // A link to a table of the other convention switches to it.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const group = target && target.closest("section.group");
    const folded = target && target.closest("details");
    if (folded) folded.open = true;
    if (!group || !group.hidden) return;
    tools.reset();
    const choice = tools.querySelector(`input[name="convention"][value="${group.dataset.convention}"]`);
    if (choice) choice.checked = true;
    apply();
    target.scrollIntoView();
  }

  apply();
  reveal();
})();
