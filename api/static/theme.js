// Runs before the page is drawn, so that a remembered theme does not flash.
try {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch {
  // storage is off: the system's theme stands
}
