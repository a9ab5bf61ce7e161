// Users and groups by name. What the server knows of an id is asked once, together
// with the others that are wanted in the same moment.
import { api, env } from './api.js';
import { h, icon } from './dom.js';
import { combo } from './ui.js';

/** @type {Map<string, Map<string, string>>} names by app and id; "" is gone */
const known = new Map();
/** @type {Map<string, {ids: Set<string>, done: Promise<void>}>} */
const waiting = new Map();

/** @param {string} kid */
function of(kid) {
  let m = known.get(kid);
  if (!m) known.set(kid, m = new Map());
  return m;
}

/** Forgets what is known of an app, since users were changed. @param {string} kid */
export function forgetNames(kid) { known.delete(kid); }

/**
 * Notes names that an answer has told anyway.
 * @param {string} kid
 * @param {{_id: string, username?: string}[]} users
 */
export function learn(kid, users) { for (const u of users) if (u.username) of(kid).set(u._id, u.username); }

/**
 * The names of users: a map by id, in which who is gone has "".
 * @param {string} kid
 * @param {Iterable<string>} ids
 * @returns {Promise<Map<string, string>>}
 */
export async function resolve(kid, ids) {
  const m = of(kid);
  const missing = [...new Set(ids)].filter((id) => id !== '' && id !== kid && !m.has(id));
  if (missing.length) {
    let w = waiting.get(kid);
    if (!w) {
      const batch = new Set(missing);
      w = { ids: batch, done: Promise.resolve().then(() => { waiting.delete(kid); return ask(kid, [...batch]); }) };
      waiting.set(kid, w);
    }
    for (const id of missing) w.ids.add(id);
    await w.done;
  }
  return m;
}

/** @param {string} kid @param {string[]} ids */
async function ask(kid, ids) {
  const m = of(kid);
  for (let i = 0; i < ids.length; i += 100) {
    const part = ids.slice(i, i + 100);
    // An id with a comma cannot be asked for, and stays an id.
    const names = await api.get(env(kid, 'names'), { params: { ids: part.filter((id) => !id.includes(',')).join(',') } });
    for (const id of part) m.set(id, names && Object.hasOwn(names, id) ? String(names[id]) : '');
  }
}

/**
 * A user by name, with his id as the hint; who is gone is said to be.
 * @param {string} kid
 * @param {string} id
 * @param {{icon?: boolean, known?: string}} [o] known: his name, when an answer has told it
 */
export function userName(kid, id, { icon: pictured = false, known: told } = {}) {
  const text = h('span', { class: 'name' });
  const el = h('span', { class: 'principal', title: id }, pictured && icon('user'), text);
  const say = (/** @type {string | undefined} */ name) => {
    if (id === kid) text.textContent = 'master';
    else if (name) text.textContent = name;
    else {
      text.textContent = id;
      text.classList.add('mono');
      if (name === '') { el.classList.add('gone'); el.title = `${id}: no such user`; el.append(' (gone)'); }
    }
  };
  if (told || id === kid || of(kid).has(id)) say(told ?? of(kid).get(id));
  else {
    text.textContent = id;
    resolve(kid, [id]).then((m) => say(m.get(id)), () => say(undefined));
  }
  return el;
}

/** A group: its id is its name. @param {string} id */
export function groupName(id) { return h('span', { class: 'principal', title: `group ${id}` }, icon('groups'), h('span', { class: 'name' }, id)); }

/**
 * A field to find a user by the beginning of his name.
 * @param {string} kid
 * @param {{label: string, placeholder?: string, value?: string, chosen: (u: {id: string, label: string}) => string | void, cleared?: () => void}} o
 */
export function userPicker(kid, { placeholder = 'Name of a user', ...o }) {
  return combo({
    placeholder, ...o,
    load: async (text, signal) => {
      const got = await api.get(env(kid, 'users'), { params: { prefix: text, limit: 8 }, signal });
      learn(kid, got.list);
      return got.list.map((/** @type {any} */ u) => ({ id: u._id, label: u.username, note: u._id, icon: 'user' }));
    },
  });
}

/**
 * A field to find a group by the beginning of its id.
 * @param {string} kid
 * @param {{label: string, placeholder?: string, value?: string, chosen: (g: {id: string, label: string}) => string | void, cleared?: () => void}} o
 */
export function groupPicker(kid, { placeholder = 'Id of a group', ...o }) {
  return combo({
    placeholder, ...o,
    load: async (text, signal) => {
      const got = await api.get(env(kid, 'groups'), { params: { prefix: text, limit: 8 }, signal });
      return got.list.map((/** @type {any} */ g) => ({ id: g._id, label: g._id, note: g.everyone ? 'everyone' : `${g.members} members`, icon: 'groups' }));
    },
  });
}

/**
 * A field to find users and groups at once.
 * @param {string} kid
 * @param {{label: string, placeholder?: string, chosen: (p: {kind: 'user' | 'group', id: string, label: string}) => void}} o
 */
export function principalPicker(kid, { label, placeholder = 'Add a user or a group', chosen }) {
  return combo({
    label, placeholder,
    load: async (text, signal) => {
      const [users, groups] = await Promise.all([
        api.get(env(kid, 'users'), { params: { prefix: text, limit: 6 }, signal }),
        api.get(env(kid, 'groups'), { params: { prefix: text, limit: 6 }, signal })]);
      learn(kid, users.list);
      return [...users.list.map((/** @type {any} */ u) => ({ id: `user ${u._id}`, label: u.username, note: u._id, icon: 'user' })),
        ...groups.list.map((/** @type {any} */ g) => ({ id: `group ${g._id}`, label: g._id, note: 'group', icon: 'groups' }))];
    },
    chosen: (it) => {
      const at = it.id.indexOf(' ');
      chosen({ kind: it.id.startsWith('user') ? 'user' : 'group', id: it.id.slice(at + 1), label: it.label });
    },
  });
}
