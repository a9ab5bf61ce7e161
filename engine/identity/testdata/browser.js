// A headless Chromium that is told on standard input what to do, a JSON object a
// line, and answers each with a line: {"ok":true,"value":...} or {"ok":false,"error":"..."}.
// Places on a page are CSS selectors, or "label=" and the text of a label.
// NODE_PATH has playwright-core; it ends with its standard input.
'use strict';
const { createInterface } = require('node:readline');
const { chromium } = require('playwright-core');

let browser;
const pages = new Map();

// What a page did: the addresses it asked for, and what the browser complains of.
async function open({ id, width, height, script, dark, headers }) {
  const context = await browser.newContext({
    // The test's certificate authority is nobody's but the test's.
    ignoreHTTPSErrors: true,
    viewport: { width, height }, javaScriptEnabled: script, colorScheme: dark ? 'dark' : 'light', extraHTTPHeaders: headers,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const told = { asked: [], complaints: [] };
  page.on('request', (r) => told.asked.push(r.url()));
  page.on('pageerror', (e) => told.complaints.push(String(e)));
  page.on('console', (m) => { if (m.type() === 'error') told.complaints.push(m.text()); });
  pages.set(id, { context, page, told });
}

const commands = {
  open: (c) => open(c),
  close: async ({ id }) => { await pages.get(id).context.close(); pages.delete(id); },
  goto: async ({ page, url }) => {
    const answer = await page.goto(url);
    return { status: answer ? answer.status() : 0, headers: answer ? answer.headers() : {} };
  },
  fill: ({ page, at, text }) => place(page, at).fill(text),
  type: ({ page, text }) => page.keyboard.type(text),
  // Presses a key, or clicks at a place, and waits for the page that comes of it.
  press: async ({ page, key }) => answered(page, () => page.keyboard.press(key)),
  click: async ({ page, at }) => answered(page, () => place(page, at).click()),
  key: ({ page, key }) => page.keyboard.press(key),
  wait: ({ page, url }) => page.waitForURL((u) => u.href.startsWith(url)),
  see: ({ page, at }) => place(page, at).waitFor(),
  at: ({ page }) => page.url(),
  text: ({ page, at }) => place(page, at).innerText(),
  value: ({ page, at }) => place(page, at).inputValue(),
  evaluate: ({ page, code }) => page.evaluate(code),
  told: ({ told }) => told,
  // Clicks at a place and waits until the browser has asked for an address that begins
  // with url, whoever does not answer.
  reach: ({ page, at, url }) => Promise.all([
    page.waitForRequest((r) => r.url().startsWith(url)), place(page, at).click({ noWaitAfter: true }),
  ]).then(() => null),
  shot: ({ page, path }) => page.screenshot({ path, fullPage: true }),
};

function place(page, at) {
  return at.startsWith('label=') ? page.getByLabel(at.slice(6)) : page.locator(at);
}

async function answered(page, act) {
  const [answer] = await Promise.all([page.waitForNavigation(), act()]);
  return { status: answer ? answer.status() : 0, headers: answer ? answer.headers() : {} };
}

async function main() {
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  for await (const line of createInterface({ input: process.stdin })) {
    const c = JSON.parse(line);
    let answer;
    try {
      const value = await commands[c.do]({ ...c, ...pages.get(c.id) });
      answer = { ok: true, value: value === undefined ? null : value };
    } catch (e) {
      answer = { ok: false, error: String(e) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}

main();
