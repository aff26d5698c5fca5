// Suggestions under a search box: a combobox with a list, fed by the API.
const WAIT = 120;
let boxes = 0;

// Returns where the last word or field value begins, so that earlier parts of a query stay.
function tail(text) {
  const match = /(?:^|\s)((?:[A-Za-z_]+:)?"?[^"\s]*(?:\s+[^"\s:]+)*)$/.exec(text);
  return match ? { start: text.length - match[1].length, text: match[1] } : null;
}

function written(suggestion) {
  const quoted = `"${suggestion.text.replace(/["\\]/g, " ").trim()}"`;
  if (suggestion.kind === "term" || !suggestion.field) return quoted;
  return `${suggestion.field}:${quoted}`;
}

function row(suggestion, id) {
  const item = document.createElement("li");
  item.id = id;
  item.role = "option";
  const name = document.createElement("bdi");
  name.textContent = suggestion.text;
  const place = document.createElement("span");
  place.className = "muted";
  place.textContent = suggestion.kind === "term" ? suggestion.term : suggestion.field.replaceAll("_", " ");
  const count = document.createElement("span");
  count.className = "count";
  count.textContent = suggestion.count.toLocaleString("en");
  item.append(name, place, count);
  return item;
}

export function startSuggestions(form) {
  const input = form.querySelector("input[type=search]");
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = `suggestions-${boxes++}`;
  list.role = "listbox";
  list.ariaLabel = "Suggestions";
  list.hidden = true;
  form.append(list);
  input.role = "combobox";
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-autocomplete", "list");
  input.ariaExpanded = "false";
  let found = [];
  let chosen = -1;
  let timer = 0;
  let asking = null;

  function close() {
    list.hidden = true;
    chosen = -1;
    input.ariaExpanded = "false";
    input.removeAttribute("aria-activedescendant");
  }

  function show(suggestions) {
    found = suggestions;
    chosen = -1;
    list.replaceChildren(...found.map((one, at) => row(one, `${list.id}-${at}`)));
    list.hidden = found.length === 0;
    input.ariaExpanded = String(found.length > 0);
  }

  function mark(at) {
    chosen = (at + found.length) % found.length;
    [...list.children].forEach((item, place) => (item.ariaSelected = String(place === chosen)));
    input.setAttribute("aria-activedescendant", `${list.id}-${chosen}`);
  }

  function take(at) {
    const place = tail(input.value);
    input.value = input.value.slice(0, place ? place.start : 0) + written(found[at]);
    close();
    form.requestSubmit();
  }

  async function ask() {
    const place = tail(input.value);
    const words = place ? place.text.replace(/^[A-Za-z_]+:/, "").replace(/^"/, "") : "";
    asking?.abort();
    if (words.length < 2) return close();
    asking = new AbortController();
    try {
      const address = `/api/v1/suggest?limit=8&q=${encodeURIComponent(words.slice(0, 100))}`;
      const answer = await fetch(address, { signal: asking.signal });
      if (answer.ok && document.activeElement === input) show((await answer.json()).suggestions);
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const start = chosen < 0 && event.key === "ArrowUp" ? 0 : chosen;
      mark(start + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      take(chosen);
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
    }
  });
  input.addEventListener("blur", () => setTimeout(close, 150));
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (item) take([...list.children].indexOf(item));
  });
}
