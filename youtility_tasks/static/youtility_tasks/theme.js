// Before the first paint: the theme that was chosen here, or the system's.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("tasks-theme"); } catch { /* no storage: the system's */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
