// Tables and their pages.
import { append, h, icon } from './dom.js';
import { iconButton } from './dialog.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * A column: cell makes what stands there. The first column stays in sight when the
 * table is scrolled sideways.
 * @template T
 * @typedef {{label: Child, cell: (row: T) => Child, class?: string, sort?: string}} Column
 */

/**
 * A table that scrolls inside itself. href makes the first cell of a row a link and the
 * whole row lead there; arrows move between the links.
 * @template T
 * @param {object} o
 * @param {string} o.label      its name
 * @param {Column<T>[]} o.columns
 * @param {T[]} o.rows
 * @param {(row: T) => string} [o.href]
 * @param {(row: T) => void} [o.open]   like href, for what has no address; it is done on a click or Enter
 * @param {(row: T) => Child} [o.actions] buttons at the end of a row
 * @param {{has: (row: T) => boolean, set: (row: T, on: boolean) => void, name: (row: T) => string}} [o.select] boxes to mark rows with
 * @param {string} [o.sort]     the column that it is sorted by, as in "name" or "-name"
 * @param {(sort: string) => void} [o.onsort]
 * @param {(row: T) => string} [o.rowClass]
 */
export function table({ label, columns, rows, href, open, actions, select, sort, onsort, rowClass }) {
  const body = h('tbody', {
    onkeydown: (/** @type {KeyboardEvent} */ e) => {
      if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
      const el = /** @type {HTMLElement} */ (e.target);
      if (!el.matches('.row-link')) return;
      const row = el.closest('tr');
      const to = e.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling;
      /** @type {HTMLElement | null | undefined} */ (to?.querySelector('.row-link'))?.focus();
      e.preventDefault();
    },
  });
  const boxes = /** @type {HTMLInputElement[]} */ ([]);
  const all = select && h('input', { type: 'checkbox', 'aria-label': 'Select all rows of this page', onchange: () => boxes.forEach((b, i) => { b.checked = all?.checked ?? false; mark(i); }) });
  /** @param {number} i */
  const mark = (i) => { select?.set(rows[i], boxes[i].checked); boxes[i].closest('tr')?.classList.toggle('selected', boxes[i].checked); tell(); };
  const tell = () => {
    if (!all) return;
    const n = boxes.filter((b) => b.checked).length;
    all.checked = n > 0 && n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  };
  rows.forEach((row, i) => {
    const tr = h('tr', { class: rowClass?.(row) ?? '' });
    if (select) {
      const box = h('input', { type: 'checkbox', checked: select.has(row), 'aria-label': `Select ${select.name(row)}`, onchange: () => mark(i) });
      boxes.push(box);
      tr.classList.toggle('selected', box.checked);
      append(tr, h('td', { class: 'select' }, box));
    }
    columns.forEach((c, n) => {
      const inside = c.cell(row);
      const link = n > 0 ? null : href ? h('a', { class: 'row-link', href: href(row) }, inside)
        : open ? h('button', { type: 'button', class: 'row-link', onclick: (/** @type {Event} */ e) => { e.stopPropagation(); open(row); } }, inside) : null;
      append(tr, n === 0 ? h('th', { scope: 'row', class: c.class }, link ?? inside) : h('td', { class: c.class }, inside));
    });
    if (actions) append(tr, h('td', { class: 'row-actions' }, actions(row)));
    if (href || open) {
      tr.classList.add('leads');
      tr.addEventListener('click', (e) => {
        if (/** @type {Element} */ (e.target).closest('a, button, input, label, select')) return;
        if (getSelection()?.toString()) return;
        if (href) location.hash = href(row);
        else open?.(row);
      });
    }
    body.appendChild(tr);
  });
  tell();
  const heads = columns.map((c) => {
    if (!c.sort || !onsort) return h('th', { scope: 'col', class: c.class }, c.label);
    const up = sort === c.sort, down = sort === `-${c.sort}`;
    return h('th', { scope: 'col', class: c.class, 'aria-sort': up ? 'ascending' : down ? 'descending' : null },
      h('button', { type: 'button', class: 'sorter', onclick: () => onsort(up ? `-${c.sort}` : down ? '' : String(c.sort)) }, c.label,
        h('span', { class: `sort-mark${up ? ' up' : down ? ' down' : ''}` }, (up || down) && icon('down'))));
  });
  return h('div', { class: `table-wrap${select ? ' selectable' : ''}`, tabindex: '0', role: 'region', 'aria-label': label },
    h('table', { 'aria-label': label }, h('thead', null, h('tr', null, all && h('th', { class: 'select', scope: 'col' }, all), heads,
      actions && h('th', { class: 'row-actions', scope: 'col' }, h('span', { class: 'sr' }, 'Actions')))), body));
}

const numbers = new Intl.NumberFormat('en-US');

/**
 * "1–50 of 4,310" with buttons to the pages before and behind. total undefined: not
 * known; then more tells whether there is a next page.
 * @param {{skip: number, limit: number, shown: number, total?: number, more?: boolean, go: (skip: number) => void, limits?: number[], onlimit?: (limit: number) => void}} o
 */
export function pager({ skip, limit, shown, total, more = total !== undefined && skip + shown < total, go, limits, onlimit }) {
  const from = shown ? skip + 1 : 0;
  const button = (/** @type {string} */ name, /** @type {string} */ label, /** @type {boolean} */ there, /** @type {number} */ to) => there && iconButton(name, label, { onclick: () => go(to) });
  return h('nav', { class: 'pager', 'aria-label': 'Pages' },
    limits && onlimit && h('label', { class: 'pager-limit' }, 'Rows', h('select', { 'aria-label': 'Rows of a page', onchange: (/** @type {Event} */ e) => onlimit(Number(/** @type {HTMLSelectElement} */ (e.target).value)) },
      limits.map((n) => h('option', { value: String(n), selected: n === limit }, String(n))))),
    h('span', { class: 'pager-text', role: 'status' }, `${numbers.format(from)}–${numbers.format(skip + shown)}`, total !== undefined && ` of ${numbers.format(total)}`),
    h('span', { class: 'pager-buttons' },
      button('left', 'Previous page', skip > 0, Math.max(0, skip - limit)), button('right', 'Next page', more, skip + limit)));
}
