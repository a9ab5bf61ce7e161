// What changed between two JSON values, in lines that can be read.

/**
 * @typedef {object} Change
 * @property {string} path    where, such as "_acl.groups.r"; "" for the value itself
 * @property {'added' | 'removed' | 'changed' | 'list'} kind
 * @property {any} [before]
 * @property {any} [after]
 * @property {string[]} [more]  of a list: what came in
 * @property {string[]} [less]  of a list: what went out
 */

/** @param {any} v */
const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

/**
 * The members of a list by what tells them apart, or null if it is no list of
 * simple things: texts, numbers, and references to users and groups.
 * @param {any} v
 * @returns {string[] | null}
 */
function members(v) {
  if (v === undefined || v === null) return [];
  if (!Array.isArray(v)) return null;
  const all = [];
  for (const one of v) {
    if (isObject(one) && typeof one._id === 'string') all.push(one._id);
    else if (typeof one === 'string' || typeof one === 'number') all.push(String(one));
    else return null;
  }
  return all;
}

/**
 * Lists what changed, in the order of the names.
 * @param {any} before undefined when there was nothing
 * @param {any} after  undefined when there is nothing
 * @param {string} [path]
 * @returns {Change[]}
 */
export function changes(before, after, path = '') {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (isObject(before) || isObject(after)) {
    const from = isObject(before) ? before : undefined;
    const to = isObject(after) ? after : undefined;
    if ((from || before === undefined || before === null) && (to || after === undefined || after === null)) {
      const names = [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])].sort();
      return names.flatMap((name) => changes(from?.[name], to?.[name], path ? `${path}.${name}` : name));
    }
  }
  const was = members(before);
  const is = members(after);
  if (was && is && (Array.isArray(before) || Array.isArray(after))) {
    const less = was.filter((x) => !is.includes(x));
    const more = is.filter((x) => !was.includes(x));
    if (less.length || more.length) return [{ path, kind: 'list', more, less }];
    if (Array.isArray(before) && Array.isArray(after)) return [{ path, kind: 'changed', before, after }]; // another order
    return [];
  }
  if (before === undefined || before === null) return [{ path, kind: 'added', after }];
  if (after === undefined || after === null) return [{ path, kind: 'removed', before }];
  return [{ path, kind: 'changed', before, after }];
}

/**
 * A value in one line.
 * @param {any} v
 * @param {number} [most] letters
 */
export function brief(v, most = 120) {
  const text = typeof v === 'string' ? v : v === undefined ? '' : JSON.stringify(v);
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/**
 * A change in one line of text, for what has no room for a table.
 * @param {Change} c
 */
export function sentence(c) {
  const at = c.path ? `${c.path}: ` : '';
  switch (c.kind) {
    case 'added': return `${at}${brief(c.after, 60)}`;
    case 'removed': return `${at}no longer ${brief(c.before, 60)}`;
    case 'list': return at + [...(c.more ?? []).map((x) => `+ ${x}`), ...(c.less ?? []).map((x) => `− ${x}`)].join(', ');
    default: return `${at}${brief(c.before, 60)} → ${brief(c.after, 60)}`;
  }
}
