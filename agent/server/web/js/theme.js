// Runs before the page is drawn, so that it does not flash in the other theme. No module.
(() => {
  const kept = () => { try { return localStorage.getItem("facelm.theme"); } catch { return null; } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { document.documentElement.dataset.theme = kept() || (dark.matches ? "dark" : "light"); };
  apply();
  dark.addEventListener("change", () => { apply(); dispatchEvent(new Event("theme")); });
})();
