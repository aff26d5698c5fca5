// Keys: / search, arrows in the grid, 1 2 3 levels, f filters, ? help.
const KEYS = [
  ["/", "go to the search box"],
  ["↑ ↓ ← →", "move in suggestions and in the grid"],
  ["1 2 3", "studies, data sets, images"],
  ["f", "filters"],
  ["Enter", "open"],
  ["?", "this help"],
];

function help() {
  const dialog = document.createElement("dialog");
  const heading = document.createElement("h2");
  heading.textContent = "Keyboard";
  heading.id = "keys-heading";
  dialog.setAttribute("aria-labelledby", heading.id);
  const list = document.createElement("dl");
  list.className = "keys";
  for (const [key, says] of KEYS) {
    const term = document.createElement("dt");
    const shown = document.createElement("kbd");
    shown.textContent = key;
    term.append(shown);
    const text = document.createElement("dd");
    text.textContent = says;
    list.append(term, text);
  }
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Close";
  button.addEventListener("click", () => dialog.close());
  dialog.append(heading, list, button);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function moveInGrid(key) {
  const here = document.activeElement?.closest("[data-card]");
  const grid = here?.closest("[data-grid]") ?? document.querySelector("[data-grid]");
  if (!grid) return false;
  const cards = [...grid.querySelectorAll("[data-card]")];
  let next = here ? cards.indexOf(here) : -1;
  if (next < 0) next = 0;
  else if (key === "ArrowLeft" || key === "ArrowRight") next += key === "ArrowRight" ? 1 : -1;
  else {
    const top = cards[0].offsetTop;
    const wide = cards.filter((card) => card.offsetTop === top).length;
    next += key === "ArrowDown" ? wide : -wide;
  }
  if (!cards[next]) return false;
  cards[next].querySelector("[data-open]").focus();
  return true;
}

function toFilters() {
  const filters = document.getElementById("filters");
  if (!filters) return;
  if (getComputedStyle(filters).display === "none") location.hash = "filters";
  (filters.querySelector(".value") ?? filters).focus();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  if (event.key.startsWith("Arrow")) {
    const inGrid = document.activeElement?.closest("[data-card]");
    if (inGrid && moveInGrid(event.key)) event.preventDefault();
  } else if (event.key === "/") {
    event.preventDefault();
    const input = document.querySelector("[data-search] input[type=search]");
    input?.focus();
    input?.select();
  } else if ("123".includes(event.key)) {
    document.querySelector(`[data-level="${event.key}"]`)?.click();
  } else if (event.key === "f") toFilters();
  else if (event.key === "?") help();
}

export function startKeyboard() {
  document.addEventListener("keydown", pressed);
  const button = document.querySelector("[data-help-button]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", help);
  }
}
