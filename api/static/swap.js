// Level, filter, view and page links fetch the next state and swap the results; the address follows.
let asking = null;

function say(text) {
  const live = document.querySelector("[data-live]");
  if (live) live.textContent = text;
}

function label(element) {
  return element?.closest("a")?.textContent.replace(/[\d,]+/g, "").trim() ?? "";
}

async function load(address) {
  asking?.abort();
  asking = new AbortController();
  const answer = await fetch(address, { signal: asking.signal, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector("[data-results]") ? page : null;
}

function keepFacets(old, fresh) {
  const open = new Map();
  for (const facet of old.querySelectorAll(".facet")) {
    open.set(facet.querySelector("summary").textContent, facet.open);
  }
  for (const facet of fresh.querySelectorAll(".facet")) {
    facet.open = open.get(facet.querySelector("summary").textContent) ?? facet.open;
  }
}

async function swap(address, prepare, push, from) {
  const old = document.querySelector("[data-results]");
  const focused = label(from);
  old.classList.add("busy");
  try {
    const page = await load(address);
    if (!page) return location.assign(address);
    const fresh = document.adoptNode(page.querySelector("[data-results]"));
    keepFacets(old, fresh);
    old.replaceWith(fresh);
    const bar = page.querySelector(".bar [data-search]");
    const current = document.querySelector(".bar [data-search]");
    for (const hidden of current?.querySelectorAll("input[type=hidden]") ?? []) hidden.remove();
    current?.append(...(bar?.querySelectorAll("input[type=hidden]") ?? []));
    document.title = page.title;
    if (push) history.pushState({}, "", address);
    prepare(fresh);
    say(fresh.dataset.said);
    const same = [...fresh.querySelectorAll("[data-swap]")].find((link) => label(link) === focused);
    if (focused) (same ?? fresh.querySelector("[data-swap]"))?.focus({ preventScroll: true });
    if (from?.rel === "next" || from?.rel === "first") scrollTo(0, 0);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  }
}

export function startSwapping(prepare) {
  if (!document.querySelector("[data-results]")) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    swap(link.href + location.hash, prepare, true, link);
  });
  addEventListener("popstate", (event) => {
    if (event.state && document.querySelector("[data-results]")) swap(location.href, prepare, false);
    else if (!location.hash) location.reload();
  });
  history.replaceState({}, "", location.href);
}
