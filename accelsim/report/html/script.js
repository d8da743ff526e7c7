"use strict";

/* Tables: a click on a heading sorts by that column, a second one turns the order round. */
function sortBy(heading) {
  const table = heading.closest("table");
  const column = [...heading.parentNode.children].indexOf(heading);
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of heading.parentNode.children) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const value = (row) => row.children[column].dataset.value ?? row.children[column].textContent;
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = heading.classList.contains("number") ? x - y : x.localeCompare(y, "en", { numeric: true });
    return rising ? order : -order;
  };
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort(compare));
}

document.addEventListener("click", (event) => {
  const heading = event.target.closest("th button")?.parentNode;
  if (heading) sortBy(heading);
});

/* The field above a long table: only lines that have every word in it are shown. */
document.addEventListener("input", (event) => {
  const find = event.target.closest(".find");
  if (!find) return;
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  const lines = [...find.nextElementSibling.querySelectorAll("tbody tr")];
  for (const line of lines) {
    const text = [...line.children].map((cell) => cell.textContent).join(" ").toLowerCase();
    line.hidden = !words.every((word) => text.includes(word));
  }
  const shown = lines.filter((line) => !line.hidden).length;
  const all = lines.length.toLocaleString("en");
  find.querySelector("output").textContent =
    words.length ? `${shown.toLocaleString("en")} of ${all} lines` : `${all} lines`;
});

/* The chart of points: two figures against each other, filters, and the front of those not beaten. */
const source = document.getElementById("points");
if (source) startChart(JSON.parse(source.textContent));

function startChart(data) {
  const SVG = "http://www.w3.org/2000/svg";
  const [width, height, left, bottom, margin] = [640, 400, 70, 44, 14];
  const frame = document.getElementById("chart");
  const told = document.getElementById("told");
  const choose = { x: document.getElementById("x"), y: document.getElementById("y") };
  const boxes = [...document.querySelectorAll("input[data-axis]")];
  const lines = [...document.querySelectorAll("#pointtable tbody tr")];
  const marks = [];

  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };
  const short = (value) => Number(value.toPrecision(4)).toLocaleString("en");
  const describe = (row) =>
    [...data.axes.map((name) => `${name} ${row[name]}`),
      ...["x", "y"].map((side) => `${figureOf(side).title} ${short(valueOf(row, side))}`)].join(", ");
  const figureOf = (side) => data.figures[choose[side].value];
  const valueOf = (row, side) => row[choose[side].value] * figureOf(side).factor;
  const isShown = (row) => boxes.every((box) =>
    box.checked || String(row[box.dataset.axis]) !== box.value);

  function frontOf(rows) {
    const cost = (row, side) => (figureOf(side).lower ? 1 : -1) * row[choose[side].value];
    const sorted = [...rows].sort((a, b) => cost(a, "x") - cost(b, "x") || cost(a, "y") - cost(b, "y"));
    const kept = [];
    for (const row of sorted)
      if (!kept.length || cost(row, "y") < cost(kept[kept.length - 1], "y")) kept.push(row);
    return kept;
  }

  function scale(rows, side, from, to) {
    const values = rows.map((row) => valueOf(row, side));
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (low === high) [low, high] = [low - Math.abs(low) / 2 - 0.5, high + Math.abs(high) / 2 + 0.5];
    const pad = (high - low) / 20;
    const place = (value) => from + ((value - low + pad) / (high - low + 2 * pad)) * (to - from);
    return { place, ticks: [0, 1, 2, 3, 4].map((n) => low + (n * (high - low)) / 4) };
  }

  function drawAxes(svg, across, up) {
    make("path", { class: "axis", fill: "none", d: `M${left} ${margin}V${height - bottom}H${width - margin}` }, svg);
    for (const tick of across.ticks)
      make("text", { x: across.place(tick), y: height - bottom + 16, "font-size": 11, "text-anchor": "middle" }, svg, short(tick));
    for (const tick of up.ticks)
      make("text", { x: left - 6, y: up.place(tick) + 4, "font-size": 11, "text-anchor": "end" }, svg, short(tick));
    make("text", { x: (left + width) / 2, y: height - 6, "font-size": 12, "text-anchor": "middle" }, svg, figureOf("x").title);
    make("text", { x: 12, y: height / 2, "font-size": 12, "text-anchor": "middle", transform: `rotate(-90 12 ${height / 2})` }, svg, figureOf("y").title);
  }

  function redraw() {
    const known = data.rows.filter((row) => isShown(row)
      && row[choose.x.value] != null && row[choose.y.value] != null);
    const front = known.length ? frontOf(known) : [];
    frame.replaceChildren();
    marks.length = 0;
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "points" }, frame);
    if (known.length) {
      const across = scale(known, "x", left, width - margin);
      const up = scale(known, "y", height - bottom, margin);
      const at = (row) => [across.place(valueOf(row, "x")), up.place(valueOf(row, "y"))];
      drawAxes(svg, across, up);
      const path = front.map((row, n) => (n ? `H${at(row)[0]}V${at(row)[1]}` : `M${at(row).join(" ")}`));
      make("path", { class: "best", d: path.join("") }, svg);
      for (const row of known) {
        const mark = make("circle", {
          class: "point", cx: at(row)[0], cy: at(row)[1], r: front.includes(row) ? 6 : 4.5,
          fill: row.colour, tabindex: 0, role: "img", "aria-label": describe(row),
        }, svg);
        make("title", {}, mark, describe(row));
        const tell = () => { told.textContent = describe(row); };
        mark.addEventListener("pointerenter", tell);
        mark.addEventListener("focus", tell);
        marks.push(mark);
      }
    }
    for (const line of lines) {
      const row = data.rows[Number(line.dataset.point)];
      line.hidden = !isShown(row);
      line.classList.toggle("front", front.includes(row));
    }
    told.textContent = `${known.length} of ${data.rows.length} points, ${front.length} on the front`;
  }

  for (const control of [choose.x, choose.y, ...boxes]) control.addEventListener("change", redraw);
  redraw();
}
