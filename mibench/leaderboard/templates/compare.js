// Two rows of one table side by side. The address says which: #table/first/second.
"use strict";
(function () {
  const DIFFERENCE = "First − second";
  const VERDICT = "Verdict";
  const { tables, costs } = window.MIBENCH;
  document.querySelector(".scriptless").remove();
  const form = document.querySelector("form.choose");
  const place = document.getElementById("comparison");
  const { table: tableField, first: firstField, second: secondField } = form.elements;

  function make(tag, text, attributes) {
    const made = document.createElement(tag);
    if (text !== undefined && text !== null) made.textContent = text;
    Object.entries(attributes || {}).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  }

  function say(value, digits, signed) {
    if (value === null) return "—";
    const text = Math.abs(value).toFixed(digits);
    const sign = value < 0 && Number(text) !== 0 ? "−" : signed ? "+" : "";
    return sign + text;
  }

  function span(low, high, digits) {
    return low === null ? "no interval" : `[${say(low, digits)}, ${say(high, digits)}]`;
  }

  // What the ranks of a column say of a pair: the bound of their difference, and whether they tie.
  function pairOf(pairs, a, b) {
    const [i, j] = [pairs.rows.indexOf(a.id), pairs.rows.indexOf(b.id)].sort((x, y) => x - y);
    if (i < 0 || i === j) return null;
    const n = pairs.rows.length;
    const place = i * n - (i * (i + 1)) / 2 + (j - i - 1);
    return { half: pairs.half[place], tied: pairs.tied[place] === "1", how: pairs.ways[pairs.how[place]] };
  }

  // For columns that rank nothing: half of the interval of the difference, as if both numbers were independent.
  function independent(a, b, why) {
    if (a[1] === null || b[1] === null) return { half: null, tied: true, how: why };
    const half = Math.hypot((a[2] - a[1]) / 2, (b[2] - b[1]) / 2);
    return { half, tied: Math.abs(a[0] - b[0]) <= half, how: `${why}: from both intervals, as if independent` };
  }

  function judged(head, first, second, a, b) {
    if (first.id === second.id) return { half: null, tied: true, how: "one row" };
    const unranked = [[first, a], [second, b]].find(([, entry]) => entry[5]);
    if (!head.pairs) return independent(a, b, "not ranked by this");
    if (unranked) return independent(a, b, `${unranked[0].label} is not ranked`);
    return pairOf(head.pairs, first, second) || independent(a, b, `beyond the ${head.pairs.rows.length} best rows`);
  }

  function verdict(head, difference, found) {
    if (found.half === null) return ["no interval to judge by", "same"];
    if (found.tied) return ["not told apart", "same"];
    if (!head.arrow) return ["they differ", "verdict"];
    return [(difference > 0) === (head.arrow === "↑") ? "first is better" : "second is better", "verdict"];
  }

  function numberCell(entry, digits, name) {
    const cell = make("td", null, { title: entry[4], "data-label": name });
    if (entry[0] === null) {
      cell.append(make("span", "— "), make("small", entry[4]));
      return cell;
    }
    cell.append(make("span", say(entry[0], digits), { class: "value" }));
    if (entry[3]) cell.append(make("sup", ` ${entry[3]}`));
    cell.append(make("small", span(entry[1], entry[2], digits)));
    return cell;
  }

  function metricRow(head, first, second, a, b) {
    const row = make("tr");
    const name = make("th", `${head.title} ${head.arrow}`, { scope: "row", class: "method" });
    if (head.doc) name.append(make("small", head.doc));
    row.append(name, numberCell(a, head.digits, first.label), numberCell(b, head.digits, second.label));
    const cell = make("td", null, { "data-label": DIFFERENCE });
    const said = make("td", null, { "data-label": VERDICT });
    if (a[0] !== null && b[0] !== null) {
      const difference = a[0] - b[0];
      const found = judged(head, first, second, a, b);
      cell.append(make("span", say(difference, head.digits, true), { class: "value" }));
      if (found.half !== null) cell.append(make("small", span(difference - found.half, difference + found.half, head.digits)));
      const [words, style] = verdict(head, difference, found);
      said.append(make("span", words, { class: style }), make("small", found.how));
    } else {
      cell.textContent = "—";
    }
    row.append(cell, said);
    return row;
  }

  function costRow(cost, a, b, names) {
    const row = make("tr");
    const name = make("th", cost.title, { scope: "row", class: "method" });
    name.append(make("small", cost.doc));
    row.append(name, make("td", a[1], { "data-label": names[0] }), make("td", b[1], { "data-label": names[1] }));
    const both = a[0] !== null && b[0] !== null && b[0] > 0;
    row.append(make("td", both ? `${(a[0] / b[0]).toPrecision(3)}×` : "—", { "data-label": "First ÷ second" }), make("td", ""));
    return row;
  }

  function rowHead(row) {
    const head = make("th", null, { scope: "col" });
    head.append(make("a", row.label, { href: row.method }));
    head.append(make("small", [row.rank === "–" ? "not ranked" : `rank ${row.rank}`, ...row.marks].join(" · ")));
    const links = make("small");
    row.records.forEach((href, index) => {
      links.append(make("a", row.records.length === 1 ? "record" : `record ${index + 1}`, { href }), " ");
    });
    head.append(links);
    return head;
  }

  function command(table, a, b) {
    if (a.file) return `mibench diff ${a.file} ${b.file}`;
    return `mibench diff ${a.cells[0].slice(0, 12)} ${b.cells[0].slice(0, 12)} --records ${table.folders[0]}`;
  }

  function shown(table, a, b) {
    const box = make("div", null, { class: "scroll", role: "group", tabindex: "0", "aria-label": "Comparison" });
    const made = make("table", null, { class: "board compared" });
    made.append(make("caption", `${a.label} against ${b.label}, ${table.title}`, { class: "hide" }));
    const heads = make("tr");
    heads.append(make("th", "Number", { scope: "col", class: "method" }), rowHead(a), rowHead(b));
    heads.append(make("th", DIFFERENCE, { scope: "col" }), make("th", VERDICT, { scope: "col" }));
    made.createTHead().append(heads);
    const body = made.createTBody();
    const names = [a.label, b.label];
    table.heads.forEach((head, index) => {
      if (a.numbers[index] && b.numbers[index]) body.append(metricRow(head, a, b, a.numbers[index], b.numbers[index]));
    });
    costs.forEach((cost, index) => body.append(costRow(cost, a.costs[index], b.costs[index], names)));
    box.append(made);
    return box;
  }

  function render() {
    const table = tables[tableField.selectedIndex];
    const [a, b] = [table.rows[firstField.selectedIndex], table.rows[secondField.selectedIndex]];
    place.replaceChildren();
    const title = make("h2", table.title);
    const facts = make("p", null, { class: "facts" });
    table.facts.forEach((fact) => facts.append(make("span", fact)));
    const back = make("p");
    back.append(make("a", "The whole table", { href: table.page }));
    place.append(title, facts, back);
    [a, b].filter((row) => row.status !== "ok").forEach((row) => {
      place.append(make("p", `${row.label}: ${row.status}. ${row.reason}`, { class: "problem" }));
    });
    place.append(shown(table, a, b));
    const how = "Of the columns that rank, difference, interval and verdict are those of the table's ranks: resampled "
      + "together where both rows are on the same examples, and widened since all pairs of the table are judged at once. "
      + "What else differs between these two, in every metric and in how they were made: ";
    const words = make("p", how);
    words.append(make("code", command(table, a, b)));
    if (table.folders.includes("DIR")) words.append(" (DIR: the folder that holds the records)");
    place.append(words, make("p", `By rank: ${a.label}, ${a.why || "not ranked"}. ${b.label}, ${b.why || "not ranked"}.`, { class: "identity" }));
    history.replaceState(null, "", `#${table.id}/${a.id}/${b.id}`);
  }

  function fillRows(firstId, secondId) {
    const { rows } = tables[tableField.selectedIndex];
    [firstField, secondField].forEach((field) => {
      field.replaceChildren(...rows.map((row) => new Option(row.label)));
    });
    const find = (id, otherwise) => {
      const index = rows.findIndex((row) => row.id === id);
      return index < 0 ? Math.min(otherwise, rows.length - 1) : index;
    };
    firstField.selectedIndex = find(firstId, 0);
    secondField.selectedIndex = find(secondId, firstField.selectedIndex === 1 ? 0 : 1);
  }

  function read() {
    const [tableId, firstId, secondId] = decodeURIComponent(location.hash.slice(1)).split("/");
    const index = tables.findIndex((table) => table.id === tableId);
    tableField.selectedIndex = Math.max(0, index);
    fillRows(firstId, secondId);
    render();
  }

  if (!tables.length) {
    place.append(make("p", "There are no tables yet."));
    return;
  }
  tableField.replaceChildren(...tables.map((table) => new Option(`${table.title} · ${table.facts.slice(1).join(" · ")}`)));
  tableField.addEventListener("change", () => {
    fillRows();
    render();
  });
  firstField.addEventListener("change", render);
  secondField.addEventListener("change", render);
  addEventListener("hashchange", read);
  form.hidden = false;
  read();
})();
