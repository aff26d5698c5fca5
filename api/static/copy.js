// Shows copy buttons where the clipboard works: they copy the text beside them.
export function startCopying(scope) {
  if (!navigator.clipboard) return;
  for (const button of scope.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const place = button.parentElement;
      const text = (place.querySelector("[data-copy-text]") ?? place.querySelector("pre")).textContent;
      await navigator.clipboard.writeText(text.trim());
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}
