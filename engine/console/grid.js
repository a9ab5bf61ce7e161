// The grid of records, in columns that are found in them, and the records as JSON.
import { h, icon } from './dom.js';
import { ago, button, code, table } from './ui.js';
import { accessCell } from './acl.js';

/** @typedef {import('./acl.js').Entity} Entity */
/** @typedef {import('./route.js').Context} Context */

const own = new Set(['_id', '_acl', '_kmd']);
const widest = 8; // columns that are shown before anybody chose

/**
 * The fields of records, the most frequent first.
 * @param {Entity[]} rows
 */
export function columnsOf(rows) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  for (const row of rows) for (const key of Object.keys(row)) if (!own.has(key)) seen.set(key, (seen.get(key) ?? 0) + 1);
  return [...seen.keys()].sort((a, b) => /** @type {number} */ (seen.get(b)) - /** @type {number} */ (seen.get(a)));
}

// Which columns are shown is remembered while the page is open.
/** @type {Map<string, Map<string, boolean>>} */
const choices = new Map();

/** @param {Context} ctx @param {string} name */
function choiceOf(ctx, name) {
  const key = JSON.stringify([ctx.kid, name]);
  let m = choices.get(key);
  if (!m) choices.set(key, m = new Map());
  return m;
}

/** @param {Context} ctx @param {string} name @param {string} column @param {number} at */
function isShown(ctx, name, column, at) { return choiceOf(ctx, name).get(column) ?? at < widest; }

/**
 * A button to choose columns with.
 * @param {Context} ctx
 * @param {string} name
 * @param {string[]} columns
 * @param {() => void} changed
 */
export function columnMenu(ctx, name, columns, changed) {
  const all = [...columns.map((c, i) => ({ id: c, label: c, at: i })), { id: '_access', label: 'Access', at: 0 }, { id: '_changed', label: 'Changed', at: 0 }];
  const shown = () => all.filter((c) => isShown(ctx, name, c.id, c.at)).length;
  const list = h('div', { class: 'menu columns-menu', popover: 'auto', role: 'group', 'aria-label': 'Columns' }, all.map((c) => h('label', { class: 'menu-item' },
    h('input', { type: 'checkbox', checked: isShown(ctx, name, c.id, c.at), onchange: (/** @type {Event} */ e) => { choiceOf(ctx, name).set(c.id, /** @type {HTMLInputElement} */ (e.target).checked); dirty = true; } }), h('span', { class: c.at === 0 && c.id.startsWith('_') ? '' : 'mono' }, c.label))));
  let dirty = false;
  const opener = button(['Columns', h('span', { class: 'columns-count' }, ` ${shown()}/${all.length}`)], {
    icon: 'columns', class: 'button small', 'aria-haspopup': 'dialog', 'aria-expanded': 'false',
    onclick: () => {
      list.showPopover();
      const r = opener.getBoundingClientRect();
      list.style.setProperty('left', `${Math.max(8, Math.min(r.left, innerWidth - list.offsetWidth - 8))}px`);
      list.style.setProperty('top', `${r.bottom + 4}px`);
      list.style.setProperty('max-height', `${Math.max(160, innerHeight - r.bottom - 16)}px`);
      opener.setAttribute('aria-expanded', 'true');
      list.querySelector('input')?.focus();
    },
  });
  list.addEventListener('toggle', (e) => {
    if (/** @type {ToggleEvent} */ (e).newState === 'open') return;
    opener.setAttribute('aria-expanded', 'false');
    if (dirty) changed(); // the button is made anew, and keeps the focus by its place
  });
  return h('span', { class: 'columns' }, opener, list);
}

/**
 * @param {Context} ctx
 * @param {{name: string, level: string}} about
 * @param {Entity[]} rows
 * @param {string[]} columns
 * @param {{marked?: Map<string, Entity>, onmark: () => void, open: (id: string, tab?: string) => void, sort: string, onsort: (s: string) => void}} o
 */
export function grid(ctx, about, rows, columns, { marked, onmark, open, sort, onsort }) {
  const fields = columns.filter((c, i) => isShown(ctx, about.name, c, i));
  return table({
    label: `Records of ${about.name}`, rows, sort, onsort,
    open: (e) => open(e._id),
    select: marked && { has: (e) => marked.has(e._id), name: (e) => e._id, set: (e, on) => { if (on) marked.set(e._id, e); else marked.delete(e._id); onmark(); } },
    columns: [
      { label: '_id', class: 'mono', sort: '_id', cell: (e) => e._id },
      ...(isShown(ctx, about.name, '_access', 0) ? [{
        label: 'Access', class: 'access', cell: (/** @type {Entity} */ e) => h('button', { type: 'button', class: 'access-button', onclick: () => open(e._id, 'access') }, h('span', { class: 'sr' }, `Access of ${e._id}: `), accessCell(ctx.kid, e, about.level)),
      }] : []),
      ...fields.map((c) => ({ label: c, class: isNumber(rows, c) ? 'number value' : 'value', sort: sortable(c) ? c : undefined, cell: (/** @type {Entity} */ e) => value(e[c], Object.hasOwn(e, c)) })),
      ...(isShown(ctx, about.name, '_changed', 0) ? [{ label: 'Changed', class: 'nowrap', sort: '_kmd.lmt', cell: (/** @type {Entity} */ e) => ago(e._kmd?.lmt) }] : []),
    ],
  });
}

/** A name that can stand in a sort. @param {string} name */
function sortable(name) { return !/^[-{$]|[.,]|^\s|\s$/.test(name) && name !== ''; }

/** @param {Entity[]} rows @param {string} column */
function isNumber(rows, column) { return rows.every((r) => r[column] === undefined || r[column] === null || typeof r[column] === 'number'); }

/** A value in one line. @param {any} v @param {boolean} [there] */
export function value(v, there = true) {
  if (!there) return '';
  if (v === null) return h('span', { class: 'quiet mono' }, 'null');
  switch (typeof v) {
    case 'string': return v === '' ? h('span', { class: 'quiet' }, '“”') : h('span', { class: 'cell-text', title: v.length > 40 ? v.slice(0, 1000) : null }, v.slice(0, 300));
    case 'number': return h('span', null, String(v));
    case 'boolean': return h('span', { class: 'nowrap' }, icon(v ? 'check' : 'cross'), ` ${v}`);
  }
  const text = JSON.stringify(v) ?? '';
  return h('span', { class: 'cell-text mono', title: text.slice(0, 1000) }, text.slice(0, 300));
}

/** The records as JSON. @param {Entity[]} rows */
export function jsonList(rows) { return h('div', { class: 'json-view' }, code(JSON.stringify(rows, null, 2), 'Records as JSON')); }

