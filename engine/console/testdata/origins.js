'use strict';
// Other pages in the browser of somebody who is signed in: one of another site, to
// which his cookie does not go, and one of another port of the same host, to which it
// does, since cookies know no ports. Neither changes anything, and neither reads anything.

const http = require('node:http');
const { ask, assert, check, cli, inBrowser, kid, load, origin, owner, page, signIn, visitor } = require('./console');

const at = path => `${origin}/-/console/${path}`;

// serve is the server of another page, which has nothing but scripts of the test.
function serve() {
  const listener = http.createServer((req, res) => res.writeHead(200, { 'Content-Type': 'text/html' })
    .end('<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,"><body>'));
  listener.unref(); // it does not keep a script that has failed
  return new Promise((resolve) => { listener.listen(0, '127.0.0.1', () => resolve(listener)); });
}

// raw is a request that no browser would send: with any headers.
const raw = (method, path, headers, body) => new Promise((resolve, reject) => {
  const r = http.request(origin + path, { method, headers }, (answer) => {
    let text = '';
    answer.on('data', (b) => { text += b; }).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
  });
  r.on('error', reject).end(body);
});

// state is all that an attack would have changed.
const state = () => [cli(['collection', 'list', kid]), cli(['app', 'show', kid])].join('\n');

inBrowser(async (browser) => {
  load('deals', 'read-only', [{ _id: 'd1', secret: 'do not tell' }]);
  const { context, page: p, seen } = await visitor(browser);
  await signIn(p);
  seen.none();
  const cookies = await context.cookies(origin);
  const [cookie] = cookies;

  await check('the cookie: for this host alone, not for scripts, not for other sites', async () => {
    assert.equal(cookies.length, 1);
    const { name, httpOnly, secure, sameSite, path, domain } = cookie;
    assert.deepEqual({ name, httpOnly, secure, sameSite, path, domain },
      { name: '__Host-postern', httpOnly: true, secure: true, sameSite: 'Strict', path: '/', domain: '127.0.0.1' });
    assert.equal(await p.evaluate('document.cookie'), '');
  });

  const mine = { Cookie: `${cookie.name}=${cookie.value}` };
  const good = { ...mine, 'X-Postern-Console': '1' };
  const level = `/-/console/api/v4/environments/${kid}/collections/deals`;
  await check('past a browser: what the page would send is answered', async () => {
    assert.equal((await raw('GET', level, good)).status, 200);
    assert.equal((await raw('GET', level, { ...good, 'Sec-Fetch-Site': 'same-origin', Origin: origin })).status, 200);
  });
  for (const [what, headers, status] of [
    ['without the header', mine, 403],
    ['with another value of the header', { ...mine, 'X-Postern-Console': 'true' }, 403],
    ['from another site', { ...good, 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['from another port', { ...good, 'Sec-Fetch-Site': 'same-site' }, 403],
    ['from nowhere, as an address that is typed', { ...good, 'Sec-Fetch-Site': 'none' }, 403],
    ['of another origin', { ...good, Origin: 'https://example.com' }, 403],
    ['of the null origin', { ...good, Origin: 'null' }, 403],
    ['of this host by https', { ...good, Origin: origin.replace('http:', 'https:') }, 403],
    ['of another port', { ...good, Origin: 'http://127.0.0.1:1' }, 403],
    ['to another name of this address', { ...good, Host: 'example.com' }, 400],
    ['with Authorization', { ...good, Authorization: 'Kinvey x' }, 400],
    ['without the cookie', { 'X-Postern-Console': '1' }, 401],
    ['with the cookie as a token', { 'X-Postern-Console': '1', Cookie: '__Host-postern=' }, 401],
  ]) {
    await check(`past a browser: a request ${what} is refused`, async () => {
      for (const [method, body] of [['GET'], ['PUT', '{"permissions":"full"}']]) {
        const answer = await raw(method, level, { ...headers, ...(body ? { 'Content-Type': 'application/json' } : {}) }, body);
        assert.equal(answer.status, status, `${method}: ${answer.text}`);
        assert(!answer.text.includes('read-only'), answer.text);
      }
    });
  }
  await check('an asking page gets no leave', async () => {
    const asked = { 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'x-postern-console', Origin: 'http://localhost:1' };
    for (const path of [level, '/-/console/login', '/-/console/', '/-/console/app.js']) {
      const answer = await raw('OPTIONS', path, asked);
      assert.deepEqual(Object.keys(answer.headers).filter(name => name.startsWith('access-control')), [], path);
      assert(answer.status >= 400, `${path}: ${answer.status}`);
    }
  });
  await check('every answer says what may be done with it', async () => {
    for (const path of ['/-/console/', '/-/console/app.js', '/-/console/style.css', '/-/console/none', '/', level, '/-/console/session']) {
      const { headers } = await raw('GET', path, path === level ? good : {});
      const policy = Object.fromEntries(headers['content-security-policy'].split(';').map(d => d.trim().split(/ (.*)/)));
      assert.deepEqual([policy['default-src'], policy['script-src'], policy['frame-ancestors'], policy['base-uri'], policy['form-action']],
        ["'none'", "'self'", "'none'", "'none'", "'self'"], path);
      assert(!/unsafe|http|\*/.test(headers['content-security-policy']), path);
      assert.deepEqual([headers['x-content-type-options'], headers['referrer-policy'], headers['cross-origin-opener-policy'], headers['cross-origin-resource-policy'], headers['x-frame-options']],
        ['nosniff', 'no-referrer', 'same-origin', 'same-origin', 'DENY'], path);
    }
  });

  const listener = await serve();
  const { port } = listener.address();
  const before = state();
  for (const [where, host, cookieGoes] of [['another site', 'localhost', false], ['another port', '127.0.0.1', true]]) {
    const evil = await context.newPage();
    const sent = []; // the requests to the console that came from the evil page, with what went along
    evil.on('request', (r) => {
      if (r.url().startsWith(origin)) sent.push(r.allHeaders().then(h => ({ url: r.url(), method: r.method(), cookie: /__Host-postern=./.test(h.cookie || '') }), () => null));
    });
    await evil.goto(`http://${host}:${port}/`);

    await check(`${where}: nothing is readable by fetch`, async () => {
      const told = await evil.evaluate(async (to) => {
        const tries = {};
        const attempt = async (name, options, path = 'session') => {
          try {
            const answer = await fetch(to + path, options);
            tries[name] = { type: answer.type, text: await answer.text() };
          } catch (e) { tries[name] = { failed: e.name }; }
        };
        const json = { 'Content-Type': 'application/json', 'X-Postern-Console': '1' };
        await attempt('get', { credentials: 'include' });
        await attempt('opaque', { credentials: 'include', mode: 'no-cors' });
        await attempt('header', { credentials: 'include', headers: { 'X-Postern-Console': '1' } });
        await attempt('page', { credentials: 'include' }, '');
        await attempt('post', { method: 'POST', credentials: 'include', headers: json, body: '{}' }, 'logout');
        await attempt('put', { method: 'PUT', credentials: 'include', headers: json, body: '{"permissions":"full"}' }, 'api/v4/environments/kid_acme/collections/deals');
        await attempt('delete', { method: 'DELETE', credentials: 'include', headers: json }, 'api/v4/environments/kid_acme/collections/deals');
        await attempt('simple', { method: 'POST', credentials: 'include', mode: 'no-cors', body: '{"email":"eve@example.com","password":"eve eve eve eve","role":"owner"}' }, 'api/v4/operators');
        await attempt('out', { method: 'POST', credentials: 'include', mode: 'no-cors', body: '{}' }, 'logout');
        navigator.sendBeacon(`${to}logout`, '{}');
        return tries;
      }, page);
      for (const [name, told1] of Object.entries(told)) assert('failed' in told1 || (told1.type === 'opaque' && told1.text === ''), `${name}: ${JSON.stringify(told1)}`);
    });
    await check(`${where}: a form that is posted changes nothing`, async () => {
      for (const [path, type, value] of [
        ['logout', 'text/plain', '{}'],
        ['api/v4/operators', 'text/plain', '{"email":"eve@example.com","password":"eve eve eve eve","role":"owner"}'],
        [`api/v4/environments/${kid}/collections`, 'text/plain', '{"name":"evil"}'],
        ['logout', 'application/x-www-form-urlencoded', ''],
        ['login', 'multipart/form-data', JSON.stringify(owner)],
      ]) {
        await evil.goto(`http://${host}:${port}/`);
        const arrived = evil.waitForResponse(r => r.url() === at(path));
        await evil.evaluate(([action, enctype, text]) => {
          const form = document.createElement('form');
          Object.assign(form, { action, enctype, method: 'post' });
          const input = document.createElement('input');
          // As text/plain, name=value reads as JSON.
          [input.name, input.value] = text.length > 2 ? [`${text.slice(0, -1)},"x":"`, '"}'] : ['x', '{}'];
          form.append(input);
          document.body.append(form);
          form.submit();
        }, [at(path), type, value]);
        const answer = await arrived;
        assert.equal(answer.status(), 403, path);
        assert.equal(answer.headers()['set-cookie'], undefined);
        await evil.waitForURL(at(path));
      }
      await evil.goto(`http://${host}:${port}/`);
    });
    await check(`${where}: it is shown in no frame`, async () => {
      const seenIn = await evil.evaluate(to => new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.onload = () => { let inside; try { inside = frame.contentWindow.document.body.textContent; } catch (e) { inside = e.name; } resolve({ inside, frames: frame.contentWindow.length }); };
        frame.src = to;
        document.body.append(frame);
      }), page);
      assert.deepEqual(seenIn, { inside: 'SecurityError', frames: 0 });
      const frame = evil.frames().find(f => f !== evil.mainFrame());
      assert(!(await frame.content()).includes('Sign in'), 'the page is in the frame');
      assert.match(frame.url(), /^chrome-error:/);
    });
    await check(`${where}: a window on it is out of reach`, async () => {
      const popup = context.waitForEvent('page');
      await evil.evaluate((to) => { window.w = window.open(to, 'w'); }, page);
      const opened = await popup;
      await opened.waitForLoadState();
      await opened.waitForFunction(() => document.title !== '' && document.querySelector('main'));
      assert.equal(await opened.evaluate('window.opener'), null);
      // A policy of its own leaves the opener with a window that is closed to it.
      await evil.waitForFunction(() => window.w.closed);
      assert.equal(await evil.evaluate('try { window.w.document.title } catch (e) { e.name } '), 'SecurityError');
      await opened.close();
    });
    await check(`${where}: no image, script, style or object of it`, async () => {
      const told = await evil.evaluate(async ([to, api]) => {
        const load = (tag, name, more) => new Promise((resolve) => {
          const el = document.createElement(tag);
          el.onload = () => resolve('loaded');
          el.onerror = () => resolve('refused');
          Object.assign(el, more);
          el[name] = tag === 'link' ? `${to}style.css` : tag === 'script' ? `${to}api.js` : to + api;
          document.body.append(el);
        });
        return {
          image: await load('img', 'src', {}), script: await load('script', 'src', {}), module: await load('script', 'src', { type: 'module' }),
          style: await load('link', 'href', { rel: 'stylesheet' }), sound: await load('audio', 'src', {}),
        };
      }, [page, `api/appdata/${kid}/deals`]);
      // Of one site, resources may be shared unless they say that they are not to be.
      assert.deepEqual(told, { image: 'refused', script: 'refused', module: 'refused', style: 'refused', sound: 'refused' });
    });
    await check(`${where}: ${cookieGoes ? 'the cookie went along, to no avail' : 'the cookie did not go along'}`, async () => {
      const all = (await Promise.all(sent)).filter(Boolean);
      assert(all.length > 10, `${all.length} requests`);
      assert.equal(all.some(r => r.cookie), cookieGoes, JSON.stringify(all.filter(r => r.cookie)));
    });
    await check(`${where}: nothing has changed, and the operator is still signed in`, async () => {
      assert.equal(state(), before);
      const still = await ask(p, 'GET', 'session');
      assert.deepEqual([still.status, still.body.email], [200, owner.email]);
    });
    await evil.close();
  }
  listener.close();
  listener.closeAllConnections();

  await check('the token of the cookie opens nothing elsewhere, and no token opens the console', async () => {
    for (const scheme of ['Kinvey', 'Bearer']) {
      const answer = await fetch(`${process.env.POSTERN_URL}/v4/apps`, { headers: { Authorization: `${scheme} ${cookie.value}` } });
      assert.equal(answer.status, 401);
    }
    const login = await fetch(`${process.env.POSTERN_URL}/v4/session`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(owner) });
    const { token } = await login.json();
    assert(token, 'the management API gives no token');
    assert.equal((await raw('GET', '/-/console/session', { 'X-Postern-Console': '1', Cookie: `__Host-postern=${token}` })).status, 401);
  });
  await check('signed out, the cookie is gone and its session over', async () => {
    await ask(p, 'POST', 'logout', {});
    assert.deepEqual(await context.cookies(origin), []);
    assert.equal((await raw('GET', '/-/console/session', good)).status, 401);
  });
});
