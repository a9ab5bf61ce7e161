// Elements. What a user or a client wrote gets into the page here and nowhere else,
// as text, as the value of a control or as a harmless attribute: never as HTML, as
// an address to go to, as a style or as a handler.

/** @typedef {Node | string | number | null | undefined | false | any[]} Child */
/** @typedef {{[name: string]: any}} Props */

const harmless = /^(id|class|title|lang|for|name|type|role|value|placeholder|rows|cols|min|max|step|maxlength|pattern|autocomplete|inputmode|spellcheck|enterkeyhint|tabindex|colspan|rowspan|scope|open|hidden|disabled|required|readonly|multiple|selected|checked|autofocus|novalidate|download|popover|datetime|method|dir|label|aria-[a-z]+|data-[a-z0-9-]+)$/;
const properties = new Set(['value', 'checked', 'selected', 'indeterminate']);

/**
 * Makes an element. A prop that is a function is a handler by the name of its event
 * ("onclick"); false, null and undefined leave a prop out; true is an empty attribute;
 * "href" takes addresses of this console only ("#/...") and blobs.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [name, v] of Object.entries(props ?? {})) set(el, name, v);
  append(el, children);
  return el;
}

/**
 * Sets one prop as h does.
 * @param {Element} el
 * @param {string} name
 * @param {any} v
 */
export function set(el, name, v) {
  if (typeof v === 'function') {
    if (!/^on[a-z]+$/.test(name)) throw new TypeError(`${name} is no handler`);
    el.addEventListener(name.slice(2), v);
  } else if (properties.has(name)) {
    /** @type {any} */ (el)[name] = v ?? '';
  } else if (name === 'href') {
    if (!/^(#|blob:)/.test(String(v))) throw new TypeError('no address of the console');
    el.setAttribute('href', String(v));
  } else if (v === false || v === null || v === undefined) {
    el.removeAttribute(name);
  } else if (!harmless.test(name)) {
    throw new TypeError(`${name} may not be set`);
  } else {
    el.setAttribute(name, v === true && !/^aria-/.test(name) ? '' : String(v));
  }
}

/**
 * Appends children; text stays text.
 * @param {Node} el
 * @param {...Child} children
 */
export function append(el, ...children) {
  for (const c of children) {
    if (Array.isArray(c)) append(el, ...c);
    else if (c instanceof Node) el.appendChild(c);
    else if (c !== null && c !== undefined && c !== false) el.appendChild(document.createTextNode(String(c)));
  }
}

/**
 * Empties an element, and fills it anew with children.
 * @template {Element} E
 * @param {E} el
 * @param {...Child} children
 * @returns {E}
 */
export function clear(el, ...children) {
  el.replaceChildren();
  append(el, children);
  return el;
}

/**
 * Like clear, but what had the focus has it again, if there is still such a thing.
 * @param {Element} el
 * @param {...Child} children
 */
export function refill(el, ...children) {
  const had = document.activeElement;
  const within = had !== null && el.contains(had);
  const name = (/** @type {Element} */ x) => `${x.tagName} ${x.getAttribute('aria-label') ?? x.getAttribute('placeholder') ?? x.closest('label, tr')?.textContent ?? x.textContent}`;
  const was = within ? name(had) : '';
  clear(el, children);
  if (!within) return;
  const all = /** @type {HTMLElement[]} */ ([...el.querySelectorAll('button, a, input, select, textarea')]);
  (all.find((x) => name(x) === was) ?? all[0])?.focus({ preventScroll: true });
}

/**
 * Listens until the signal is aborted.
 * @param {EventTarget} target
 * @param {string} type
 * @param {(e: any) => void} fn
 * @param {AbortSignal} [signal]
 */
export function on(target, type, fn, signal) { target.addEventListener(type, fn, { signal }); }

let last = 0;

/**
 * An id that no other element of the page has.
 * @param {string} [stem]
 */
export function uid(stem = 'x') { return `${stem}-${++last}`; }

// The icons, drawn in strokes on 16 x 16.
/** @type {{[name: string]: string}} */
const paths = {
  data: 'M2.5 4c0-1 2.5-1.75 5.5-1.75S13.5 3 13.5 4 11 5.75 8 5.75 2.5 5 2.5 4zM2.5 4v8c0 1 2.5 1.75 5.5 1.75s5.5-.75 5.5-1.75V4M2.5 8c0 1 2.5 1.75 5.5 1.75S13.5 9 13.5 8',
  settings: 'M2 4.5h7M12.5 4.5H14M2 11.5h1.5M7 11.5h7M9.25 4.5a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0M3.6 11.5a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0',
  user: 'M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8zM2.75 13.75c.5-2.5 2.6-3.75 5.25-3.75s4.75 1.25 5.25 3.75',
  users: 'M6 7.5A2.5 2.5 0 1 0 6 2.5a2.5 2.5 0 0 0 0 5zM1.25 13.25c.35-2.4 2.2-3.75 4.75-3.75s4.4 1.35 4.75 3.75M10.75 2.75a2.35 2.35 0 0 1 0 4.5M12.25 9.75c1.45.45 2.3 1.6 2.5 3.5',
  sessions: 'M2 3.25h12v7.5H2zM5.5 13.5h5M8 10.75v2.75',
  groups: 'M6 2h4v3.5H6zM1.75 10.5h4V14h-4zM10.25 10.5h4V14h-4zM8 5.5v2.5M3.75 10.5V8h8.5v2.5',
  access: 'M8 1.75l5.25 1.9v3.9c0 3.15-2.1 5.45-5.25 6.7-3.15-1.25-5.25-3.55-5.25-6.7v-3.9zM5.75 7.9l1.6 1.6 3-3.1',
  identity: 'M1.75 3.25h12.5v9.5H1.75zM5.5 8a1.4 1.4 0 1 0 0-2.8a1.4 1.4 0 0 0 0 2.8zM3.5 10.75c.25-1.1 1-1.6 2-1.6s1.75.5 2 1.6M9.75 6.5h2.5M9.75 9h2.5',
  activity: 'M1.5 8.25h2.75l2-5 3.25 9.5 2-4.5h3',
  system: 'M2 2.5h12v4.25H2zM2 9.25h12v4.25H2zM4.5 4.65h.01M4.5 11.4h.01M7 4.65h4.5M7 11.4h4.5',
  lock: 'M3.25 7.25h9.5v6.5h-9.5zM5.25 7.25V5a2.75 2.75 0 0 1 5.5 0v2.25',
  unlock: 'M3.25 7.25h9.5v6.5h-9.5zM5.25 7.25V4.75a2.75 2.75 0 0 1 5.3-1',
  eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 9.9a1.9 1.9 0 1 0 0-3.8a1.9 1.9 0 0 0 0 3.8z',
  book: 'M8 4C6.75 2.9 5 2.5 2 2.75v9.75c3-.25 4.75.15 6 1.25 1.25-1.1 3-1.5 6-1.25V2.75C11 2.5 9.25 2.9 8 4zM8 4v9.75',
  pencil: 'M10.75 2.5l2.75 2.75L5.75 13H3v-2.75zM9 4.25L11.75 7',
  plus: 'M8 3v10M3 8h10',
  trash: 'M2.5 4.25h11M6 4.25V2.5h4v1.75M4 4.25l.6 9.25h6.8l.6-9.25M6.75 7v4M9.25 7v4',
  search: 'M7 11.75a4.75 4.75 0 1 0 0-9.5a4.75 4.75 0 0 0 0 9.5zM10.5 10.5l3.25 3.25',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  check: 'M3 8.5l3.25 3.25L13 4.75',
  cross: 'M4 4l8 8M12 4l-8 8',
  warn: 'M8 2.25l6.25 11.25H1.75zM8 6.5v3.25M8 11.65v.01',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.25v3.75M8 5v.01',
  down: 'M4 6.25L8 10.25l4-4',
  right: 'M6.25 4l4 4-4 4',
  left: 'M9.75 4l-4 4 4 4',
  copy: 'M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1',
  download: 'M8 2.25v7.5M4.75 6.75L8 10l3.25-3.25M2.5 13.5h11',
  menu: 'M2 4h12M2 8h12M2 12h12',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  out: 'M6.5 2.5h-4v11h4M6.5 8h7.25M10.75 5l3 3-3 3',
  filter: 'M2 3h12L9.5 8.5v4.25l-3 1V8.5z',
  columns: 'M2 2.75h12v10.5H2zM6 2.75v10.5M10 2.75v10.5',
  braces: 'M5.75 2.5c-1.5 0-2 .6-2 1.75v2C3.75 7.25 3 8 2 8c1 0 1.75.75 1.75 1.75v2c0 1.15.5 1.75 2 1.75M10.25 2.5c1.5 0 2 .6 2 1.75v2c0 1 .75 1.75 1.75 1.75-1 0-1.75.75-1.75 1.75v2c0 1.15-.5 1.75-2 1.75',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.75V8l2.25 1.5',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13.25 2v3h-3',
  pin: 'M5.5 2.25h5M6.25 2.25v4.5L4 9.25h8l-2.25-2.5v-4.5M8 9.25v4.5',
  ban: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM3.75 3.75l8.5 8.5',
  globe: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM2 8h12M8 2c2 2 2.5 4 2.5 6S10 12 8 14C6 12 5.5 10 5.5 8S6 4 8 2z',
  share: 'M11.5 5.5a1.75 1.75 0 1 0 0-3.5a1.75 1.75 0 0 0 0 3.5zM4.5 9.75a1.75 1.75 0 1 0 0-3.5a1.75 1.75 0 0 0 0 3.5zM11.5 14a1.75 1.75 0 1 0 0-3.5a1.75 1.75 0 0 0 0 3.5zM6 7.1l4-2.3M6 8.9l4 2.3',
  mail: 'M1.75 3.5h12.5v9H1.75zM1.75 4l6.25 4.75L14.25 4',
  key: 'M5.25 11.75a3 3 0 1 0 0-6a3 3 0 0 0 0 6zM8 8.25h6v2.5M11.5 8.25v2',
};

/**
 * An icon, hidden from screen readers: the word beside it says what it means.
 * @param {string} name
 * @param {string} [cls]
 * @returns {SVGSVGElement}
 */
export function icon(name, cls = '') {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', `icon ${cls}`.trim());
  svg.setAttribute('aria-hidden', 'true');
  const p = document.createElementNS(ns, 'path');
  p.setAttribute('d', paths[name] ?? paths.info);
  svg.appendChild(p);
  return svg;
}
