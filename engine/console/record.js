// One record: its fields, who has access, and the JSON, at the side of the grid.
import { ApiError, api, env, mayEdit, path } from './api.js';
import { clear, h } from './dom.js';
import { ago, alert, button, code, confirm, dialog, errorBox, facts, field, tabs, toast } from './ui.js';
import { userName } from './names.js';
import { readAcl } from './acl.js';
import { value } from './grid.js';
import { aclEditor } from './acl-editor.js';
import { jsonFault, parseJSON } from './json.js';

/** @typedef {import('./acl.js').Entity} Entity */
/** @typedef {import('./route.js').Context} Context */
/** @typedef {{name: string, level: string}} About */

/** @param {Context} ctx @param {About} about @param {string} id @returns {Promise<Entity>} */
async function fetchRecord(ctx, about, id) {
  if (ctx.seenAs) return api.get(path('appdata', ctx.kid, about.name, id), { seenAs: ctx.seenAs });
  return api.get(path('appdata', ctx.kid, about.name, id));
}

/**
 * Opens a record; resolves when it is closed.
 * @param {Context} ctx
 * @param {About} about
 * @param {string} id
 * @param {{tab?: string, changed: () => any}} o
 */
export async function openRecord(ctx, about, id, { tab = 'fields', changed }) {
  let unsaved = false, touched = false, current = tab;
  const body = h('div', { class: 'record stack' });
  const d = dialog({
    title: id, size: 'drawer', body, cancel: '', signal: ctx.signal,
    mayClose: () => !unsaved || confirm({ title: 'Leave without saving?', body: h('p', null, 'What you changed here is not saved yet.'), action: 'Leave', danger: true }),
  });
  d.el.setAttribute('data-testid', 'record');
  const gone = new AbortController();
  const signal = AbortSignal.any([ctx.signal, gone.signal]);
  const edit = mayEdit(ctx) && !ctx.seenAs;
  const after = async () => { touched = true; unsaved = false; await draw(); };

  async function draw() {
    let e;
    try { e = await fetchRecord(ctx, about, id); } catch (err) {
      if (signal.aborted) return;
      clear(body, err instanceof ApiError && err.status === 404 ? alert('warn', h('p', null, ctx.seenAs ? 'To this user there is no such record.' : 'There is no such record any more.')) : errorBox(err));
      return;
    }
    if (signal.aborted) return;
    const a = readAcl(e._acl);
    clear(body,
      facts([['Owner', userName(ctx.kid, a.creator, { icon: true })], ['Created', ago(e._kmd?.ect)], ['Changed', ago(e._kmd?.lmt)]]),
      tabs([
        { id: 'fields', label: 'Fields', show: (panel) => panel.append(fieldsOf(e), actions(e)) },
        { id: 'access', label: 'Access', show: (panel) => panel.append(aclEditor(ctx, { about, entity: e, signal, saved: after, dirty: (on) => { unsaved = on; } })) },
        { id: 'json', label: 'JSON', show: (panel) => panel.append(code(JSON.stringify(e, null, 2), 'The record as JSON'), actions(e)) },
      ], { label: 'Record', chosen: current, onchange: (t) => { current = t; } }).el);
  }

  /** @param {Entity} e */
  function actions(e) {
    return edit ? h('div', { class: 'row' },
      button('Edit', { icon: 'pencil', onclick: () => editRecord(ctx, about, e, after) }),
      button('Delete', { icon: 'trash', kind: 'danger', onclick: () => remove() })) : h('div');
  }

  async function remove() {
    if (!await confirm({ title: 'Delete this record?', body: h('p', null, h('code', null, id), ' is gone for all users at once.'), action: 'Delete', danger: true })) return;
    try {
      await api.del(path('appdata', ctx.kid, about.name, id));
      touched = true;
      toast(`${id} was deleted`);
      d.close();
    } catch (err) { d.fail(err); }
  }

  await draw();
  await d.closed;
  gone.abort();
  if (touched) await changed();
}

/** @param {Entity} e */
function fieldsOf(e) {
  const keys = Object.keys(e).filter((k) => !['_id', '_acl', '_kmd'].includes(k));
  if (!keys.length) return h('p', { class: 'hint' }, 'The record has no fields.');
  return h('dl', { class: 'fields' }, keys.map((k) => h('div', null, h('dt', { class: 'mono' }, k, h('small', null, kindOf(e[k]))),
    h('dd', null, e[k] !== null && typeof e[k] === 'object' ? h('pre', { class: 'mono', tabindex: '0', 'aria-label': k, role: 'region' }, JSON.stringify(e[k], null, 2)) : typeof e[k] === 'string' ? h('span', { class: 'long-text' }, e[k]) : value(e[k])))));
}

/** @param {any} v */
function kindOf(v) {
  if (v === null) return 'null';
  if (Array.isArray(v)) return `array of ${v.length}`;
  /** @type {Record<string, string>} */
  const words = { string: 'text', boolean: 'true or false' };
  return words[typeof v] ?? typeof v;
}

/**
 * A field for a JSON object, which says where it is none.
 * @param {string} text
 */
function jsonField(text) {
  const said = h('p', { class: 'query-problem', role: 'alert', id: 'json-problem' });
  const area = h('textarea', { class: 'mono', rows: '18', spellcheck: 'false', autofocus: true, 'aria-describedby': 'json-problem', value: text,
    oninput: () => { const wrong = read().error; said.textContent = wrong ?? ''; area.setAttribute('aria-invalid', String(Boolean(wrong))); } });
  /** @returns {{doc?: any, error?: string}} */
  function read() {
    try {
      const doc = parseJSON(area.value);
      return doc === null || typeof doc !== 'object' || Array.isArray(doc) ? { error: 'A record is a JSON object: { … }.' } : { doc };
    } catch { return { error: `This is no JSON yet: ${jsonFault(area.value)}.` }; }
  }
  return { el: h('div', null, field('Record as JSON', area), said), area, doc: () => {
    const { doc, error } = read();
    if (error) { area.focus(); throw new Error(error); }
    return doc;
  } };
}

/**
 * @param {Context} ctx
 * @param {About} about
 * @param {Entity} e
 * @param {() => any} saved
 */
function editRecord(ctx, about, e, saved) {
  const { _acl, _kmd, ...doc } = e;
  const text = JSON.stringify(doc, null, 2);
  const json = jsonField(text);
  dialog({
    title: `Edit ${e._id}`, size: 'wide', signal: ctx.signal,
    mayClose: () => json.area.value === text || confirm({ title: 'Leave without saving?', action: 'Leave', danger: true }),
    body: [json.el, h('p', { class: 'hint' }, 'Access is changed on the tab Access; the server keeps it, and when the record was made.')],
    actions: [{
      label: 'Save record', kind: 'primary',
      run: async (close) => {
        const changed = json.doc();
        if (changed._id !== e._id) throw new Error(`_id is the name of this record and stays "${e._id}".`);
        const now = await fetchRecord(ctx, about, e._id);
        if (now._kmd?.lmt !== _kmd?.lmt && !await confirm({ title: 'Somebody changed it meanwhile', body: h('p', null, 'Saving now undoes what was changed since you opened it.'), action: 'Save all the same', danger: true })) return;
        await api.put(path('appdata', ctx.kid, about.name, e._id), changed);
        close();
        toast(`${e._id} was saved`);
        await saved();
      },
    }],
  });
}

/**
 * @param {Context} ctx
 * @param {About} about
 * @param {() => any} saved
 */
export function createRecord(ctx, about, saved) {
  const json = jsonField('{\n  \n}');
  dialog({
    title: `Create record in ${about.name}`, size: 'wide', signal: ctx.signal,
    body: [json.el, h('p', { class: 'hint' }, 'Without an _id the server makes one. The owner is the master, unless _acl.creator names a user.')],
    actions: [{
      label: 'Create record', kind: 'primary',
      run: async (close) => {
        const doc = json.doc();
        if (doc._id !== undefined && doc._id !== null) await absent(ctx, about, String(doc._id));
        const made = await api.post(path('appdata', ctx.kid, about.name), doc);
        close();
        toast(`${made._id} was created`);
        await saved();
      },
    }],
  });
}

/** Refuses an _id that is taken, so that nothing is written over. @param {Context} ctx @param {About} about @param {string} id */
async function absent(ctx, about, id) {
  const got = await api.get(env(ctx.kid, 'collections', about.name, 'entities'), { params: { query: { _id: id }, count: true } });
  if (got.count) throw new Error(`There is a record with the _id "${id}" already.`);
}

