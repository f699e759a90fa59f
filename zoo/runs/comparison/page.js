"use strict";

// Tables: a click on a header sorts, another one turns the order; what is missing stays last.
const value = (row, column) => row.cells[column].dataset.value ?? "";
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  headers.forEach((header, column) => header.firstElementChild.addEventListener("click", () => {
    const down = header.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const numeric = rows.every((row) => !value(row, column) || !Number.isNaN(Number(value(row, column))));
    const compare = (first, second) => {
      const [a, b] = [value(first, column), value(second, column)];
      if (!a || !b) return (a ? 0 : 1) - (b ? 0 : 1);
      const order = numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true });
      return down ? -order : order;
    };
    for (const other of headers) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.sort(compare));
  }));
}

// Curves: a run that is pointed at, in the legend or in a panel, stands out from the others.
const chips = [...document.querySelectorAll(".chip")];
const names = chips.map((chip) => chip.textContent);
const stages = { train: "training", val: "validation" };
let pinned = null;
const focus = (subject) => {
  for (const part of document.querySelectorAll("svg [class*=' s']")) {
    part.classList.toggle("dim", subject !== null && !part.classList.contains(`s${subject}`));
  }
};
chips.forEach((chip, subject) => {
  chip.addEventListener("pointerenter", () => focus(subject));
  chip.addEventListener("pointerleave", () => focus(pinned));
  chip.addEventListener("click", () => {
    pinned = pinned === subject ? null : subject;
    chips.forEach((other, index) => other.setAttribute("aria-pressed", String(index === pinned)));
    focus(pinned);
  });
});
const tip = document.querySelector(".tip");
for (const panel of document.querySelectorAll(".panel")) {
  const svg = panel.querySelector("svg");
  const mark = svg.querySelector(".mark");
  const { unit, curves } = JSON.parse(panel.querySelector("script").textContent);
  const leave = () => {
    tip.hidden = true;
    mark.setAttribute("visibility", "hidden");
    focus(pinned);
  };
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let nearest = null;
    let least = 40 * 40;
    for (const [subject, stage, points] of curves) {
      if (pinned !== null && subject !== pinned) continue;
      for (const point of points) {
        const far = (point[0] - x) ** 2 + (point[1] - y) ** 2;
        if (far <= least) [least, nearest] = [far, { subject, stage, point }];
      }
    }
    if (!nearest) return leave();
    const { subject, stage, point } = nearest;
    mark.setAttribute("cx", point[0]);
    mark.setAttribute("cy", point[1]);
    mark.setAttribute("class", `mark s${subject}`);
    mark.setAttribute("visibility", "visible");
    tip.textContent = `${names[subject]}: ${stages[stage]} ${point[3]} (${unit} ${point[2]})`;
    tip.hidden = false;
    const right = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, right)}px`;
    tip.style.top = `${event.clientY + 16}px`;
    focus(subject);
  });
}

// Pictures: a click shows one as large as the window allows.
const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".shown")) {
  button.addEventListener("click", () => {
    dialog.replaceChildren(button.firstElementChild.cloneNode());
    dialog.showModal();
  });
}
if (dialog) dialog.addEventListener("click", () => dialog.close());
