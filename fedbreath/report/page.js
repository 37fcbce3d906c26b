"use strict";
// Sort a score table by the clicked column; rows without a score stay at the end.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const value = (row) => parseFloat(row.cells[head.cellIndex].dataset.order);
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return down ? y - x : x - y;
    });
    body.append(...rows);
  });
}
// On paper nothing can be opened, so the short details are opened for it.
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details.print")) one.open = true;
});
