// Choosing rows. Without this file a row is chosen by its own box, and every act is offered whatever is chosen.
(() => {
  "use strict";
  const form = document.getElementById("chosen");
  const all = form?.querySelector("[data-pick-all]");
  if (!form || !all) return;
  const boxes = [...form.querySelectorAll('tbody input[type="checkbox"]')];
  const acts = [...form.querySelectorAll("[data-for]")];
  let last = null;
  all.disabled = boxes.length === 0;
  function tell() {
    const picked = boxes.filter((box) => box.checked);
    form.querySelector("[data-picked]").textContent = String(picked.length);
    all.checked = picked.length === boxes.length && picked.length > 0;
    all.indeterminate = picked.length > 0 && picked.length < boxes.length;
    for (const act of acts) {
      const fits = picked.filter((box) => act.dataset.for.split(" ").includes(box.dataset.status)).length;
      act.hidden = fits === 0;
      act.textContent = `${act.dataset.label ??= act.textContent} ${fits}`;
    }
  }
  all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; tell(); });
  form.addEventListener("click", (event) => {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (event.shiftKey && last !== null) {
      for (let n = Math.min(at, last); n <= Math.max(at, last); n += 1) boxes[n].checked = event.target.checked;
    }
    last = at;
    tell();
  });
  form.addEventListener("change", tell);
  form.addEventListener("reset", () => setTimeout(tell, 0));
  window.addEventListener("pageshow", tell);
  // An act opens over the page, as that of one job does; only jobs that it is for go along.
  form.addEventListener("submit", (event) => {
    const act = event.submitter;
    if (!act?.dataset.for) return;
    event.preventDefault();
    event.stopPropagation(); // nothing is sent: its buttons stay
    const words = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (name !== "job") words.append(name, value);
    for (const box of boxes) if (box.checked && act.dataset.for.split(" ").includes(box.dataset.status)) words.append("job", box.value);
    const link = document.createElement("a");
    link.href = `${act.getAttribute("formaction").split("?")[0]}?${words}`;
    link.dataset.act = "";
    form.append(link);
    link.click();
    link.remove();
  });
  tell();
})();

// How a search may go on, as the house knows it.
(() => {
  "use strict";
  const input = document.querySelector("[data-completions]");
  const list = document.getElementById("completions");
  if (!input || !list) return;
  let asked = "", timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const text = input.value;
      if (text === asked) return;
      asked = text;
      const address = new URL(input.dataset.completions, location.href);
      address.searchParams.set("q", text);
      try {
        const answer = await fetch(address, { credentials: "same-origin" });
        if (!answer.ok || input.value !== text) return;
        const found = (await answer.json()).completions;
        list.replaceChildren(...found.map((each) => { const option = document.createElement("option"); option.value = each; return option; }));
      } catch { /* then without */ }
    }, 150);
  });
})();
