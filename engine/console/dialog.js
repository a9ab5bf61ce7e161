// What opens above a page: dialogs, menus and short messages. Dialogs are <dialog>:
// Escape closes them, and the focus goes back to where it was.
import { append, clear, h, icon, uid } from './dom.js';

/** @typedef {import('./dom.js').Child} Child */

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {'primary' | 'danger' | ''} [kind]
 * @property {(close: (value?: any) => void) => any} run  may be async; what it throws is shown in the dialog
 */

/**
 * @typedef {object} Dialog
 * @property {HTMLDialogElement} el
 * @property {HTMLElement} body
 * @property {(value?: any) => void} close
 * @property {Promise<any>} closed  what it was closed with; undefined for Escape
 * @property {(e: any) => void} fail shows an error in the dialog
 */

/**
 * Opens a modal dialog. The first action of kind primary or danger is what Enter in a
 * field does.
 * @param {object} o
 * @param {string} o.title
 * @param {Child} [o.body]
 * @param {Action[]} [o.actions]
 * @param {string} [o.cancel]   the word on the button that only closes; "" for none
 * @param {'' | 'wide' | 'drawer'} [o.size]
 * @param {AbortSignal} [o.signal] closes it
 * @param {() => boolean | Promise<boolean>} [o.mayClose] asked before Escape or the cross closes it
 * @returns {Dialog}
 */
export function dialog({ title, body, actions = [], cancel = actions.length ? 'Cancel' : 'Close', size = '', signal, mayClose }) {
  const id = uid('dialog');
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  /** @type {(v: any) => void} */
  let done = () => {};
  /** @type {Promise<any>} */
  const closed = new Promise((resolve) => { done = resolve; });
  /** @type {any} */
  let value;
  const problem = h('div', { class: 'dialog-problem', role: 'alert' });
  const content = h('div', { class: 'dialog-body' }, body);
  const close = (/** @type {any} */ v) => { value = v; el.close(); };
  const ask = async () => { if (!mayClose || await mayClose()) close(undefined); };
  const fail = (/** @type {any} */ e) => { clear(problem, errorBox(e)); problem.scrollIntoView({ block: 'nearest' }); };
  const main = actions.find((a) => a.kind);
  const buttons = actions.map((a) => button(a.label, { kind: a.kind ?? '', type: a === main ? 'submit' : 'button', onclick: a === main ? undefined : () => act(a) }));
  /** @param {Action} a */
  async function act(a) {
    clear(problem);
    el.classList.add('busy');
    try { await a.run(close); } catch (e) { if (!signal?.aborted) fail(e); }
    el.classList.remove('busy');
  }
  const form = h('form', {
    class: 'dialog-form', novalidate: true, method: 'dialog',
    onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); if (main && !el.classList.contains('busy')) act(main); },
  },
  h('header', { class: 'dialog-head' }, h('h2', { id }, title), iconButton('close', 'Close', { onclick: ask })),
  content, problem,
  (cancel !== '' || buttons.length > 0) && h('footer', { class: 'dialog-foot' }, cancel !== '' && button(cancel, { onclick: ask }), ...buttons));
  const el = h('dialog', {
    class: `dialog ${size}`, 'aria-labelledby': id,
    oncancel: (/** @type {Event} */ e) => { if (e.target === el) { e.preventDefault(); ask(); } },
    onclose: (/** @type {Event} */ e) => {
      if (e.target !== el) return;
      el.remove();
      if (before?.isConnected) before.focus();
      done(value);
    },
  }, form);
  signal?.addEventListener('abort', () => el.close());
  document.body.appendChild(el);
  el.showModal();
  const first = /** @type {HTMLElement | null} */ (content.querySelector('[autofocus]') ?? content.querySelector('input:not([type=hidden]), textarea, select') ?? el.querySelector('footer button'));
  first?.focus({ preventScroll: true });
  return { el, body: content, close, closed, fail };
}

/**
 * Asks a question that is answered with a verb or not at all.
 * @param {{title: string, body?: Child, action: string, danger?: boolean}} o
 * @returns {Promise<boolean>}
 */
export async function confirm({ title, body, action, danger = false }) {
  return (await dialog({ title, body, actions: [{ label: action, kind: danger ? 'danger' : 'primary', run: (close) => close(true) }] }).closed) === true;
}

/**
 * Asks for what cannot be undone: a word has to be typed.
 * @param {{title: string, body?: Child, action: string, word: string, size?: '' | 'wide', run?: () => any}} o run is done before the dialog closes; what it throws is shown there
 * @returns {Promise<boolean>}
 */
export async function confirmTyped({ title, body, action, word, size, run }) {
  const input = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', autofocus: true });
  return (await dialog({
    title, size,
    body: [body, field(['Type ', h('strong', { class: 'mono' }, word), ' to confirm'], input)],
    actions: [{
      label: action, kind: 'danger',
      run: async (close) => {
        if (input.value.trim() !== word) {
          input.focus();
          throw new Error(`Nothing was done: type ${word} to confirm.`);
        }
        await run?.();
        close(true);
      },
    }],
  }).closed) === true;
}

let toasts = /** @type {HTMLElement | null} */ (null);

/**
 * Says for a few seconds what was done.
 * @param {string} text
 * @param {'ok' | 'error'} [kind]
 */
export function toast(text, kind = 'ok') {
  toasts ??= document.body.appendChild(h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite', popover: 'manual' }));
  // Shown anew, it is above a dialog that was opened meanwhile.
  if (toasts.matches(':popover-open')) toasts.hidePopover();
  toasts.showPopover();
  const el = h('div', { class: `toast ${kind}` }, icon(kind === 'ok' ? 'check' : 'warn'), h('span', null, text));
  toasts.appendChild(el);
  setTimeout(() => { el.remove(); if (!toasts?.childElementCount) toasts?.hidePopover(); }, 5000);
}

/**
 * @typedef {object} Item
 * @property {string} label
 * @property {string} [icon]
 * @property {string} [note]   a second, quieter line
 * @property {boolean} [danger]
 * @property {boolean} [checked]  makes it a choice that is marked or not
 * @property {string} [href]
 * @property {() => any} [run]
 */

/**
 * Gives a button a menu: arrows move, Enter chooses, Escape closes.
 * @template {HTMLElement} B
 * @param {B} opener
 * @param {() => (Item | null)[]} items  null is a line between; asked each time it opens
 * @returns {B}
 */
export function menu(opener, items) {
  opener.setAttribute('aria-haspopup', 'menu');
  opener.setAttribute('aria-expanded', 'false');
  opener.addEventListener('click', () => {
    const list = h('div', { class: 'menu', role: 'menu', popover: 'auto', 'aria-label': opener.getAttribute('aria-label') ?? opener.textContent ?? '' });
    for (const it of items()) {
      if (!it) { list.appendChild(h('hr')); continue; }
      const inside = [it.icon && icon(it.icon), h('span', { class: 'menu-text' }, it.label, it.note && h('small', null, it.note)), it.checked && icon('check')];
      const cls = `menu-item${it.danger ? ' danger' : ''}`;
      const role = it.checked === undefined ? 'menuitem' : 'menuitemradio';
      const props = { class: cls, role, tabindex: '-1', 'aria-checked': it.checked === undefined ? null : it.checked };
      const run = () => { shut(true); it.run?.(); };
      list.appendChild(it.href ? h('a', { ...props, href: it.href, onclick: () => shut(false) }, inside)
        : h('button', { ...props, type: 'button', onclick: run }, inside));
    }
    const all = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll('.menu-item')]);
    const shut = (/** @type {boolean} */ back) => { if (list.isConnected) list.hidePopover(); if (back) opener.focus(); };
    list.addEventListener('keydown', (e) => {
      const at = all().indexOf(/** @type {HTMLElement} */ (document.activeElement));
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[e.key];
      if (to !== undefined) { all().at(to % all().length)?.focus(); e.preventDefault(); }
      if (e.key === 'Tab') shut(false);
    });
    list.addEventListener('toggle', (e) => {
      if (/** @type {ToggleEvent} */ (e).newState === 'open') return;
      const within = list.contains(document.activeElement);
      opener.setAttribute('aria-expanded', 'false');
      list.remove();
      if (within) opener.focus();
    });
    opener.after(list);
    list.showPopover();
    place(list, opener);
    opener.setAttribute('aria-expanded', 'true');
    all()[0]?.focus();
  });
  return opener;
}

/**
 * Puts something that is shown in the top layer below (or above) an element, inside
 * the window.
 * @param {HTMLElement} el
 * @param {Element} by
 */
export function place(el, by) {
  const r = by.getBoundingClientRect();
  const left = Math.max(8, Math.min(r.left, innerWidth - el.offsetWidth - 8));
  const below = r.bottom + 4;
  const fits = below + el.offsetHeight <= innerHeight - 8 || r.top < innerHeight / 2;
  el.style.setProperty('left', `${left}px`);
  el.style.setProperty('top', `${fits ? below : Math.max(8, r.top - 4 - el.offsetHeight)}px`);
  el.style.setProperty('max-height', `${Math.max(120, fits ? innerHeight - below - 8 : r.top - 12)}px`);
}

/**
 * A button. Its word is the action; kind is how much it weighs.
 * @param {Child} label
 * @param {{kind?: 'primary' | 'danger' | 'quiet' | '', icon?: string, type?: string, onclick?: (e: Event) => any, [prop: string]: any}} [props]
 */
export function button(label, { kind = '', icon: name, type = 'button', onclick, ...rest } = {}) {
  return h('button', { class: `button ${kind}`.trim(), type, onclick, ...rest }, name && icon(name), h('span', null, label));
}

/**
 * A button that is only an icon; label is its name, and shown as a hint.
 * @param {string} name
 * @param {string} label
 * @param {import('./dom.js').Props} [props]
 */
export function iconButton(name, label, props = {}) {
  return h('button', { class: 'icon-button', type: 'button', 'aria-label': label, title: label, ...props }, icon(name));
}

/**
 * A control with its label and, below, a hint.
 * @param {Child} label
 * @param {HTMLElement} control
 * @param {Child} [hint]
 */
export function field(label, control, hint) {
  const input = control.matches('input, select, textarea') ? control : control.querySelector('input, select, textarea');
  const id = input?.id || uid('field');
  input?.setAttribute('id', id);
  const el = h('div', { class: 'field' }, h('label', { for: id }, label), control);
  if (hint) {
    append(el, h('p', { class: 'hint', id: `${id}-hint` }, hint));
    input?.setAttribute('aria-describedby', `${id}-hint`);
  }
  return el;
}

/**
 * What went wrong, in the server's words with its debug text.
 * @param {any} e
 */
export function errorBox(e) {
  const debug = e?.debug, name = e?.status ? `${e.name} · ${e.status}` : '';
  return h('div', { class: 'alert error', role: 'alert' }, icon('warn'), h('div', null,
    h('p', { class: 'alert-title' }, debug || e?.description || e?.message || String(e)),
    debug && h('p', null, e.description),
    name && h('p', { class: 'hint mono' }, name, e.retryAfter ? ` · try again in ${e.retryAfter} s` : '')));
}
