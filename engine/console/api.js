// Requests to the server. Every one goes to the console's own listener, with its
// cookie and the header that a foreign page cannot set.

import { parseJSON } from './json.js';

/** @typedef {'owner' | 'editor' | 'viewer'} Role */
/** @typedef {{email: string, role: Role, idleSeconds: number, until: string, totp: boolean, origin?: string}} Session */

/**
 * @typedef {object} Options
 * @property {Record<string, any>} [params]  of the query; objects are sent as JSON, empty ones not at all
 * @property {any} [body]          sent as JSON
 * @property {AbortSignal} [signal]
 * @property {string} [seenAs]     id of the user whose request it is to be; GET only
 * @property {boolean} [idle]      it polls, and is no sign of anybody being there
 */

/** What the server answered that is no success. */
export class ApiError extends Error {
  /**
   * @param {number} status  0 when there was no answer
   * @param {string} name    such as InvalidCredentials
   * @param {string} description
   * @param {string} [debug]
   * @param {number} [retryAfter] seconds
   */
  constructor(status, name, description, debug = '', retryAfter = 0) {
    super(description);
    this.status = status;
    this.name = name;
    this.description = description;
    this.debug = debug;
    this.retryAfter = retryAfter;
  }
}

/** @type {() => void} */
let ended = () => {};
let lastAsked = 0; // when a request counted as a sign of life, Date.now()

/**
 * Has fn called when the server says that the session is over.
 * @param {() => void} fn
 */
export function onEnd(fn) { ended = fn; }

/** When the server was last asked by somebody who is there (Date.now()). */
export function lastActive() { return lastAsked; }

/**
 * Asks the server. path is relative to /-/console/, as in "api/v4/apps"; the answer
 * is parsed JSON, or undefined when there is none.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function request(method, path, options = {}) {
  const { params, body, signal, seenAs, idle } = options;
  /** @type {Record<string, string>} */
  const headers = { 'X-Postern-Console': '1' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (seenAs) headers['X-Postern-Seen-As'] = encodeURIComponent(seenAs);
  if (idle) headers['X-Postern-Idle'] = '1';
  else lastAsked = Date.now();
  let answer, text;
  try {
    answer = await fetch(`/-/console/${path}${queryOf(params)}`, {
      method, headers, signal, cache: 'no-store', redirect: 'error', credentials: 'same-origin',
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    text = await answer.text();
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new ApiError(0, 'NoAnswer', 'The server does not answer.', 'It may be stopped or restarting; try again.');
  }
  if (answer.ok) return text === '' ? undefined : read(text);
  const told = read(text) ?? {};
  const error = new ApiError(answer.status, String(told.error ?? told.code ?? `HTTP ${answer.status}`),
    String(told.description ?? 'The server refused the request.'), told.debug ? String(told.debug) : '',
    Number(answer.headers.get('Retry-After')) || 0);
  if (answer.status === 401 && error.name === 'InvalidCredentials' && path.startsWith('api/')) ended();
  throw error;
}

/** @param {string} text */
function read(text) {
  try { return parseJSON(text); } catch { return undefined; }
}

/** @param {Record<string, any>} [params] */
function queryOf(params) {
  const q = new URLSearchParams();
  for (const [name, v] of Object.entries(params ?? {})) {
    if (v === undefined || v === null || v === '' || v === false) continue;
    q.set(name, typeof v === 'object' ? JSON.stringify(v) : String(v));
  }
  const text = q.toString();
  return text ? `?${text}` : '';
}

/** The routes below /-/console/api/: public, management and administration. */
export const api = {
  /** @param {string} path @param {Options} [o] */
  get: (path, o) => request('GET', `api/${path}`, o),
  /** @param {string} path @param {any} [body] @param {Options} [o] */
  post: (path, body = {}, o) => request('POST', `api/${path}`, { ...o, body }),
  /** @param {string} path @param {any} [body] @param {Options} [o] */
  put: (path, body = {}, o) => request('PUT', `api/${path}`, { ...o, body }),
  /** @param {string} path @param {Options} [o] */
  del: (path, o) => request('DELETE', `api/${path}`, o),
};

/**
 * Joins the parts of a path, each as one segment: path('appdata', kid, 'a/b').
 * @param {...string} parts
 */
export function path(...parts) { return parts.map(encodeURIComponent).join('/'); }

/**
 * A path of the management of one app.
 * @param {string} kid
 * @param {...string} rest
 */
export function env(kid, ...rest) { return path('v4', 'environments', kid, ...rest); }

/** May this operator change data, users, groups and permissions? @param {{session: Session}} ctx */
export function mayEdit(ctx) { return ctx.session.role !== 'viewer'; }

/** May this operator manage apps, operators and secrets? @param {{session: Session}} ctx */
export function mayOwn(ctx) { return ctx.session.role === 'owner'; }
