import { startCopying } from "./copy.js";
import { startKeyboard } from "./keyboard.js";
import { startSuggestions } from "./suggest.js";
import { startSwapping } from "./swap.js";

const root = document.documentElement;

function dark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const themeButton = document.querySelector("[data-theme-button]");
if (themeButton) {
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // storage is off: the choice lasts for this page
    }
  });
}

function prepare(scope) {
  startCopying(scope);
  for (const select of scope.querySelectorAll("[data-order] select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
    select.form.querySelector("button").hidden = true;
  }
}

for (const form of document.querySelectorAll("[data-search]")) startSuggestions(form);
prepare(document);
startKeyboard();
startSwapping(prepare);
