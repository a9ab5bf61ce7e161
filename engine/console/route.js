// Addresses of the console: #/<kid>/<page>/<arg>...?params, and #/system.

/**
 * What a page gets to know.
 * @typedef {object} Context
 * @property {string} kid      the app ("" on pages of the server itself)
 * @property {string} page
 * @property {string[]} args   what comes behind the page in the address
 * @property {URLSearchParams} params
 * @property {import('./api.js').Session} session
 * @property {string} seenAs   the id of the user as whom data is seen; "" for the operator himself
 * @property {AbortSignal} signal  aborted when the page is left
 * @property {Environment[]} apps
 * @property {string} origin   where the apps reach this server, for lines with curl
 */

/** @typedef {{id: string, app: string, appName: string, name: string, [more: string]: any}} Environment */

export const serverPages = new Set(['system']);

/**
 * The address of a page.
 * @param {string} kid
 * @param {string} page
 * @param {string[]} [args]
 * @param {Record<string, string | number | null | undefined> | URLSearchParams} [params] empty ones are left out
 */
export function href(kid, page, args = [], params = {}) {
  const path = [...(serverPages.has(page) ? [] : [kid]), page, ...args].map(encodeURIComponent).join('/');
  const q = new URLSearchParams();
  const all = params instanceof URLSearchParams ? params : Object.entries(params);
  for (const [name, v] of all) if (v !== '' && v !== null && v !== undefined) q.set(name, String(v));
  const text = q.toString();
  return `#/${path}${text ? `?${text}` : ''}`;
}

/**
 * Takes an address apart.
 * @param {string} hash
 */
export function parse(hash) {
  const [path, query = ''] = cut(hash.replace(/^#\/?/, ''), '?');
  const parts = path.split('/').filter((p) => p !== '').map((p) => {
    try { return decodeURIComponent(p); } catch { return p; }
  });
  const params = new URLSearchParams(query);
  if (serverPages.has(parts[0]) && parts.length === 1) return { kid: '', page: parts[0], args: [], params };
  return { kid: parts[0] ?? '', page: parts[1] ?? '', args: parts.slice(2), params };
}

/** @param {string} s @param {string} sep */
function cut(s, sep) {
  const at = s.indexOf(sep);
  return at < 0 ? [s] : [s.slice(0, at), s.slice(at + 1)];
}

/**
 * Goes to an address; replace leaves no step back.
 * @param {string} to
 * @param {{replace?: boolean}} [options]
 */
export function go(to, { replace = false } = {}) {
  if (replace) location.replace(to);
  else location.hash = to;
}

/**
 * The address of the page that is shown, with other params; "" or null takes one away.
 * @param {Context} ctx
 * @param {Record<string, string | number | null | undefined>} change
 */
export function withParams(ctx, change) {
  const q = new URLSearchParams(ctx.params);
  for (const [name, v] of Object.entries(change)) {
    if (v === '' || v === null || v === undefined) q.delete(name);
    else q.set(name, String(v));
  }
  return href(ctx.kid, ctx.page, ctx.args, q);
}

/**
 * Changes the address without showing the page anew: for what the page has done already.
 * A step that leads back is one of the page's own: it listens to popstate.
 * @param {Context} ctx
 * @param {Record<string, string | number | null | undefined>} change
 * @param {boolean} [step] leaves a step back
 */
export function note(ctx, change, step = false) {
  const to = withParams(ctx, change);
  if (to !== location.hash) history[step ? 'pushState' : 'replaceState'](null, '', to);
  ctx.params = parse(to).params;
}
