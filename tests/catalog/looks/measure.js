// Runs in the sheet once all frames are there: makes each as high as its page, and writes down what a reader would see.
addEventListener("load", () => {
  const told = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
    frame.height = root.scrollHeight;
    const sizes = new Set(), pale = [], cut = [];
    for (const element of page.body.querySelectorAll("*")) {
      const own = [...element.childNodes].filter(node => node.nodeType === 3 && node.textContent.trim());
      if (!own.length) continue;
      const style = view.getComputedStyle(element);
      sizes.add(style.fontSize);
      const contrast = ratio(rgb(style.color), behind(element, view));
      if (contrast < 4.5) pale.push([element.className || element.tagName, Math.round(contrast * 100) / 100]);
      const box = element.getBoundingClientRect();
      if (box.right > root.clientWidth + 1 || box.left < -1) cut.push([element.className || element.tagName, Math.round(box.right)]);
    }
    told[frame.name] = {
      width: root.clientWidth, needs: root.scrollWidth, height: root.scrollHeight, sizes: [...sizes].sort(), pale, cut,
      fonts: [...new Set([...page.body.querySelectorAll("*")].map(each => view.getComputedStyle(each).fontFamily))],
      buttons: [...page.querySelectorAll("a")].map(a => ({ height: Math.round(a.getBoundingClientRect().height), href: a.href })),
      scripts: page.querySelectorAll("script, iframe, object, img, link").length,
    };
  }
  const pre = document.createElement("pre");
  pre.id = "measured"; pre.hidden = true; pre.textContent = JSON.stringify(told);
  document.body.append(pre);
});

const rgb = text => (text.match(/[\d.]+/g) || []).map(Number);

function behind(element, view) {
  for (let each = element; each; each = each.parentElement) {
    const colour = rgb(view.getComputedStyle(each).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
}

function ratio(one, other) {
  const light = ([r, g, b]) => [r, g, b].map(value => value / 255)
    .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, n) => sum + value * [0.2126, 0.7152, 0.0722][n], 0);
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}
