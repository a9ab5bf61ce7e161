// The parts that pages are made of.
import { append, clear, h, icon, uid } from './dom.js';
import { button, errorBox, iconButton, place } from './dialog.js';

export { button, confirm, confirmTyped, dialog, errorBox, field, iconButton, menu, place, toast } from './dialog.js';
export { pager, table } from './table.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * The frame of a page: its heading, what can be done, and an element for the rest.
 * @param {HTMLElement} main
 * @param {{title: Child, sub?: Child, actions?: Child, crumbs?: Child[]}} o crumbs are links that lead here
 * @returns {HTMLElement}
 */
export function page(main, { title, sub, actions, crumbs }) {
  const body = h('div', { class: 'page-body' });
  clear(main, h('header', { class: 'page-head' },
    h('div', { class: 'page-titles' },
      crumbs && h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, crumbs.map((c) => [c, h('span', { 'aria-hidden': 'true' }, '/')])),
      h('h1', { tabindex: '-1' }, title), sub && h('p', { class: 'page-sub' }, sub)),
    actions && h('div', { class: 'page-actions' }, actions)), body);
  return body;
}

/**
 * A framed part of a page.
 * @param {{title?: Child, sub?: Child, actions?: Child}} o
 * @param {...Child} children
 */
export function card({ title, sub, actions }, ...children) {
  return h('section', { class: 'card' },
    (title || actions) && h('header', { class: 'card-head' },
      h('div', null, title && h('h2', null, title), sub && h('p', { class: 'hint' }, sub)), actions && h('div', { class: 'card-actions' }, actions)),
    children);
}

/**
 * What an empty list says: what belongs there, and a line that puts something there.
 * @param {{icon?: string, title: string, text?: Child, line?: string, actions?: Child}} o
 */
export function empty({ icon: name = 'info', title, text, line, actions }) {
  return h('div', { class: 'empty' }, icon(name, 'large'), h('h2', null, title), text && h('p', null, text),
    line && code(line), actions && h('div', { class: 'row' }, actions));
}

/**
 * Lines to copy.
 * @param {string} text
 * @param {string} [label]
 */
export function code(text, label = 'Command') {
  const copy = iconButton('copy', 'Copy', {
    onclick: async () => {
      try { await navigator.clipboard.writeText(text); } catch { getSelection()?.selectAllChildren(pre); return; }
      clear(copy, icon('check'));
      setTimeout(() => clear(copy, icon('copy')), 1500);
    },
  });
  const pre = h('pre', { tabindex: '0', role: 'region', 'aria-label': label }, text);
  return h('div', { class: 'code' }, pre, copy);
}

/** Something to wait for. @param {string} [text] */
export function loading(text = 'Loading') {
  return h('div', { class: 'loading', role: 'status' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), h('span', null, `${text} …`));
}

/**
 * Fills an element with what fn makes, showing that it waits and what went wrong.
 * @param {HTMLElement} el
 * @param {() => Promise<Child>} fn
 * @param {AbortSignal} [signal]
 */
export async function fill(el, fn, signal) {
  const wait = setTimeout(() => clear(el, loading()), 150);
  try {
    const got = await fn();
    clearTimeout(wait);
    if (!signal?.aborted) clear(el, got);
  } catch (e) {
    clearTimeout(wait);
    if (!signal?.aborted) clear(el, errorBox(e), button('Try again', { icon: 'refresh', onclick: () => fill(el, fn, signal) }));
  }
}

/**
 * A word with an icon; never colour alone.
 * @param {Child} text
 * @param {{kind?: '' | 'ok' | 'warn' | 'bad' | 'info', icon?: string, title?: string}} [o]
 */
export function badge(text, { kind = '', icon: name, title } = {}) {
  return h('span', { class: `badge ${kind}`.trim(), title }, name && icon(name), h('span', null, text));
}

/**
 * The four levels, in the guide's words.
 * @type {{name: string, long: string, wire: string, word: string, icon: string, text: string, read: boolean, write: boolean, kind: '' | 'warn'}[]}
 */
export const levels = [
  { name: 'Shared', long: 'read-all, write-yours', wire: 'append-read', word: 'shared', icon: 'share', read: true, write: false, kind: '', text: 'End users of an app can only create and modify their own data, but read all data in this collection. This is the default permission level for any new collection.' },
  { name: 'Private', long: 'read-yours, write-yours', wire: 'append-only', word: 'private', icon: 'lock', read: false, write: false, kind: '', text: 'End users of an app can only read, create, and modify their own data. They cannot read any other data in this collection.' },
  { name: 'Read Only', long: 'read-all, write-none', wire: 'read-only', word: 'read-only', icon: 'book', read: true, write: false, kind: '', text: 'End users of an app can read all data in this collection but cannot create and modify data.' },
  { name: 'Full', long: 'read-all, write-all', wire: 'write', word: 'full', icon: 'unlock', read: true, write: true, kind: 'warn', text: 'End users of an app can read, create, and modify all data in this collection. Use with caution: anyone with access to your app can modify any of it.' },
];

/** A level by its name, wire word or word. @param {string} text */
export function levelOf(text) {
  return levels.find((l) => l.name === text || l.wire === text || l.word === text) ?? levels[0];
}

/** The level with its icon. @param {string} text */
export function levelBadge(text) {
  const l = levelOf(text);
  return badge(l.name, { icon: l.icon, kind: l.kind, title: l.long });
}

/**
 * Tabs: arrows move between them. show fills the panel of a tab when it is chosen.
 * @param {{id: string, label: Child, show: (panel: HTMLElement) => any}[]} list
 * @param {{label: string, chosen?: string, onchange?: (id: string) => void}} o
 */
export function tabs(list, { label, chosen, onchange }) {
  const stem = uid('tabs');
  const panel = h('div', { class: 'tab-panel', role: 'tabpanel', id: `${stem}-panel`, tabindex: '0' });
  const bar = h('div', { class: 'tabs', role: 'tablist', 'aria-label': label });
  const buttons = list.map((t, i) => h('button', {
    type: 'button', class: 'tab', role: 'tab', id: `${stem}-${t.id}`, 'aria-controls': `${stem}-panel`,
    onclick: () => choose(i),
    onkeydown: (/** @type {KeyboardEvent} */ e) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: list.length - 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      const n = (to + list.length) % list.length;
      choose(n);
      buttons[n].focus();
    },
  }, t.label));
  /** @param {number} i @param {boolean} [quiet] */
  function choose(i, quiet) {
    buttons.forEach((b, n) => { b.setAttribute('aria-selected', String(n === i)); b.tabIndex = n === i ? 0 : -1; });
    panel.setAttribute('aria-labelledby', buttons[i].id);
    clear(panel);
    if (!quiet) onchange?.(list[i].id);
    list[i].show(panel);
  }
  append(bar, buttons);
  const el = h('div', { class: 'tabbed' }, bar, panel);
  choose(Math.max(0, list.findIndex((t) => t.id === chosen)), true);
  return { el, panel, choose: (/** @type {string} */ id) => choose(Math.max(0, list.findIndex((t) => t.id === id))) };
}

/**
 * A choice of a few, of which one holds.
 * @template T
 * @param {{label: string, options: {value: T, label: string, icon?: string}[], value: T, onchange: (v: T) => void}} o
 */
export function choice({ label, options, value, onchange }) {
  const name = uid('choice');
  return h('fieldset', { class: 'choice' }, h('legend', null, label), h('div', { class: 'choice-options' }, options.map((o) => h('label', { class: 'choice-option' },
    h('input', { type: 'radio', name, checked: o.value === value, onchange: () => onchange(o.value) }), h('span', null, o.icon && icon(o.icon), o.label)))));
}

/**
 * The three states of gr and gw: undefined follows the collection.
 * @param {{label: string, value: boolean | undefined, follows: boolean, onchange: (v: boolean | undefined) => void}} o follows: what the collection says now
 */
export function switch3({ label, value, follows, onchange }) {
  return choice({
    label, value, onchange,
    options: /** @type {{value: boolean | undefined, label: string, icon: string}[]} */ ([
      { value: undefined, label: `Follow collection (currently: ${follows ? 'yes' : 'no'})`, icon: 'data' },
      { value: true, label: 'Always', icon: 'check' }, { value: false, label: 'Never', icon: 'cross' }]),
  });
}

/**
 * A switch that is on or off.
 * @param {{label: Child, hint?: Child, checked: boolean, onchange: (on: boolean, input: HTMLInputElement) => any}} o
 */
export function toggle({ label, hint, checked, onchange }) {
  const input = h('input', { type: 'checkbox', role: 'switch', checked, onchange: () => onchange(input.checked, input) });
  return h('label', { class: 'toggle' }, input, h('span', { class: 'toggle-text' }, label, hint && h('small', { class: 'hint' }, hint)));
}

/**
 * A field that proposes what was found for what is typed: arrows move, Enter chooses.
 * load gets the text, and answers what there is; chosen gets what was taken and the
 * field is emptied unless it answers a text to stay.
 * @param {{label: string, placeholder?: string, value?: string, load: (text: string, signal: AbortSignal) => Promise<{id: string, label: string, note?: string, icon?: string}[]>, chosen: (it: {id: string, label: string}) => string | void, cleared?: () => void}} o
 */
export function combo({ label, placeholder, value = '', load, chosen, cleared }) {
  const id = uid('combo');
  const list = h('div', { class: 'menu combo-list', role: 'listbox', id, popover: 'manual', 'aria-label': label });
  let found = /** @type {{id: string, label: string, note?: string, icon?: string}[]} */ ([]);
  let at = -1;
  let asked = new AbortController();
  const input = h('input', {
    type: 'text', value, placeholder, role: 'combobox', 'aria-label': label, 'aria-expanded': 'false', 'aria-controls': id, 'aria-autocomplete': 'list',
    autocomplete: 'off', spellcheck: 'false',
    oninput: () => { if (input.value === '') cleared?.(); look(); }, onclick: () => { if (!list.matches(':popover-open')) look(); }, onblur: () => shut(),
    onkeydown: (/** @type {KeyboardEvent} */ e) => {
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
        e.preventDefault();
        if (!list.matches(':popover-open')) look();
        else if (found.length) mark((at + (e.key === 'ArrowDown' ? 1 : -1) + found.length) % found.length);
      } else if (e.key === 'Enter' && list.matches(':popover-open') && (at >= 0 || found.length === 1)) {
        e.preventDefault();
        take(found[Math.max(at, 0)]);
      } else if (e.key === 'Escape' && list.matches(':popover-open')) {
        e.preventDefault();
        e.stopPropagation();
        shut();
      }
    },
  });
  function shut() {
    asked.abort();
    if (list.matches(':popover-open')) list.hidePopover();
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }
  /** @param {number} n */
  function mark(n) {
    at = n;
    [...list.children].forEach((c, i) => { c.setAttribute('aria-selected', String(i === n)); if (i === n) c.scrollIntoView({ block: 'nearest' }); });
    input.setAttribute('aria-activedescendant', `${id}-${n}`);
  }
  /** @param {{id: string, label: string}} it */
  function take(it) {
    input.value = chosen(it) ?? '';
    found = [];
    shut();
  }
  async function look() {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    try { found = await load(input.value.trim(), signal); } catch (e) { if (!signal.aborted) found = []; }
    if (signal.aborted || !input.isConnected) return;
    at = -1;
    clear(list, found.length ? found.map((f, i) => h('div', {
      class: 'menu-item', role: 'option', id: `${id}-${i}`, 'aria-selected': 'false',
      onmousedown: (/** @type {Event} */ e) => e.preventDefault(), onclick: () => take(f),
    }, f.icon && icon(f.icon), h('span', { class: 'menu-text' }, f.label, f.note && h('small', { class: 'mono' }, f.note)))) : h('div', { class: 'menu-none', role: 'option', 'aria-disabled': 'true' }, input.value ? 'Nothing is called that' : 'There is nothing yet'));
    if (!list.matches(':popover-open')) list.showPopover();
    place(list, input);
    list.style.setProperty('min-width', `${input.offsetWidth}px`);
    input.setAttribute('aria-expanded', 'true');
  }
  return h('div', { class: 'combo' }, input, list);
}

/**
 * A box to search in a list by, which waits until typing rests.
 * @param {{label: string, value?: string, onsearch: (text: string) => void}} o
 */
export function searchBox({ label, value = '', onsearch }) {
  /** @type {any} */
  let wait;
  const input = h('input', { type: 'search', value, placeholder: label, 'aria-label': label, oninput: () => { clearTimeout(wait); wait = setTimeout(() => onsearch(input.value.trim()), 250); } });
  return h('div', { class: 'search' }, icon('search'), input);
}

const numbers = new Intl.NumberFormat('en-US');
const days = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** 4310 as 4,310. @param {number} n */
export function count(n) { return numbers.format(n); }

/** "1 record", "4,310 records". @param {number} n @param {string} one @param {string} [many] */
export function plural(n, one, many = `${one}s`) { return `${count(n)} ${n === 1 ? one : many}`; }

/** Bytes as people read them. @param {number} n */
export function bytes(n) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

/**
 * A moment: how long ago, with the exact time as its hint.
 * @param {string | number | undefined | null} at
 */
export function ago(at) {
  if (!at) return h('span', { class: 'quiet' }, '–');
  const d = new Date(at);
  if (Number.isNaN(d.getTime())) return h('span', null, String(at));
  const s = (d.getTime() - Date.now()) / 1000;
  /** @type {[number, Intl.RelativeTimeFormatUnit][]} */
  const steps = [[60, 'second'], [3600, 'minute'], [86400, 'hour'], [2592000, 'day'], [31536000, 'month'], [Infinity, 'year']];
  const i = steps.findIndex(([most]) => Math.abs(s) < most);
  const text = Math.abs(s) < 45 ? (s > 0 ? 'in a moment' : 'just now') : days.format(Math.round(s / (i ? steps[i - 1][0] : 1)), steps[i][1]);
  return h('time', { datetime: d.toISOString(), title: d.toLocaleString() }, text);
}

/** Offers text as a file. @param {string} name @param {BlobPart[]} parts @param {string} [type] */
export function download(name, parts, type = 'application/x-ndjson') {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const a = h('a', { href: url, download: name, hidden: true });
  document.body.appendChild(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Says something that stays: kind is info, warn, ok or error.
 * @param {'info' | 'warn' | 'ok' | 'error'} kind
 * @param {...Child} children
 */
export function alert(kind, ...children) {
  return h('div', { class: `alert ${kind}` }, icon({ info: 'info', warn: 'warn', ok: 'check', error: 'warn' }[kind]), h('div', null, children));
}

/** A label and a value, one below the other. @param {[Child, Child][]} list */
export function facts(list) {
  return h('dl', { class: 'facts' }, list.map(([k, v]) => h('div', null, h('dt', null, k), h('dd', null, v))));
}

