// Charts, as SVG built of elements: attributes and classes, no styles of their own.

const ns = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function s(tag, attributes, ...children) {
  const el = document.createElementNS(ns, tag);
  for (const [name, v] of Object.entries(attributes)) el.setAttribute(name, String(v));
  el.append(...children);
  return el;
}

/**
 * A time in seconds as people say it.
 * @param {number} seconds
 */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return 'more';
  if (seconds < 0.001) return `${round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${round(seconds * 1e3)} ms`;
  return `${round(seconds)} s`;
}

/** @param {number} n two digits that count */
function round(n) { return n >= 100 ? String(Math.round(n)) : String(Number(n.toPrecision(2))); }

/**
 * Bars of a histogram. A bar is said to who does not see it by the label of the whole,
 * and to the mouse by its title.
 * @param {{label: string, count: number, mark?: string}[]} bars  mark is a word above the bar, such as "p50"
 * @param {string} label what the chart says, in a sentence
 * @param {number} width of the place, in pixels
 */
export function histogram(bars, label, width) {
  const height = 150, top = 26, foot = 20;
  const w = Math.max(width, 200);
  const step = w / Math.max(bars.length, 1);
  const most = Math.max(1, ...bars.map((b) => b.count));
  const svg = s('svg', { viewBox: `0 0 ${w} ${height}`, width: w, height, class: 'chart', role: 'img', 'aria-label': label });
  svg.append(s('line', { x1: 0, x2: w, y1: height - foot, y2: height - foot, class: 'chart-axis' }));
  const every = Math.ceil(bars.length / Math.max(1, Math.floor(w / 58))); // labels that do not touch
  bars.forEach((b, i) => {
    const tall = b.count === 0 ? 0 : Math.max(2, (height - top - foot) * b.count / most);
    const bar = s('rect', { x: i * step + 1, y: height - foot - tall, width: Math.max(1, step - 2), height: tall, rx: 2, class: b.mark ? 'chart-bar marked' : 'chart-bar' });
    bar.append(s('title', {}, `up to ${b.label}: ${b.count.toLocaleString('en')}`));
    svg.append(bar);
    if (b.mark) svg.append(s('text', { x: i * step + step / 2, y: height - foot - tall - 5, 'text-anchor': 'middle', class: 'chart-mark' }, b.mark));
    if (i % every === 0) svg.append(s('text', { x: i * step + step / 2, y: height - 5, 'text-anchor': i === 0 && step < 40 ? 'start' : 'middle', class: 'chart-text' }, b.label));
  });
  return svg;
}

/**
 * One bar in parts, each with a class of its own.
 * @param {{label: string, count: number, cls: string}[]} parts
 * @param {string} label
 */
export function stacked(parts, label) {
  const all = parts.reduce((n, p) => n + p.count, 0) || 1;
  const svg = s('svg', { viewBox: '0 0 1000 12', preserveAspectRatio: 'none', width: '100%', height: 12, class: 'chart', role: 'img', 'aria-label': label });
  let at = 0;
  for (const p of parts) {
    const w = p.count === 0 ? 0 : Math.max(3, 1000 * p.count / all);
    svg.append(s('rect', { x: at, y: 0, width: w, height: 12, class: `chart-part ${p.cls}` }));
    at += w;
  }
  return svg;
}

/**
 * How much of a whole, as a thin bar; the numbers stand beside it.
 * @param {number} part
 * @param {number} whole
 */
export function share(part, whole) {
  const svg = s('svg', { viewBox: '0 0 100 6', preserveAspectRatio: 'none', width: 72, height: 6, class: 'share', 'aria-hidden': 'true' });
  svg.append(s('rect', { x: 0, y: 0, width: 100, height: 6, class: 'share-all' }));
  if (part > 0) svg.append(s('rect', { x: 0, y: 0, width: Math.max(2, 100 * part / Math.max(whole, 1)), height: 6, class: 'share-part' }));
  return svg;
}
