'use strict';
// A person at a browser that has no screen: it follows redirects, keeps cookies,
// and fills in the form of a page. It runs no script, and needs none.

const assert = require('node:assert/strict');
const { send } = require('../life/platform');

const unescaped = text => text.replace(/&(amp|lt|gt|quot|#34|#39);/g, (all, name) => ({
  amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#39': "'",
}[name]));

const attribute = (tag, name) => {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  return found ? unescaped(found[1]) : undefined;
};

class Browser {
  // home is the app's redirect URI: arriving there is the end of the way.
  constructor(home) {
    this.home = home;
    this.cookies = new Map(); // by host, as browsers do: ports share them
    this.seen = []; // URLs
  }

  async go(url, form) {
    let next = { url, form };
    while (next) {
      assert(this.seen.push(next.url) < 100, `round and round: ${this.seen.slice(-5)}`);
      this.url = next.url;
      if (next.url.startsWith(this.home)) return;
      next = await this.step(new URL(next.url), next.form);
    }
  }

  async step(url, form) {
    const jar = this.cookies.get(url.hostname) || new Map();
    this.cookies.set(url.hostname, jar);
    const headers = {};
    if (jar.size > 0) headers.Cookie = [...jar].map(pair => pair.join('=')).join('; ');
    if (form) Object.assign(headers, { 'Content-Type': 'application/x-www-form-urlencoded', Origin: url.origin });
    const answer = await send({ url: url.href, method: form ? 'POST' : 'GET', headers, body: form && form.toString() });
    for (const cookie of answer.headers['set-cookie'] || []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value === '') jar.delete(name); else jar.set(name, value);
    }
    if ([302, 303].includes(answer.statusCode)) return { url: new URL(answer.headers.location, url).href };
    this.page = answer.data;
    this.status = answer.statusCode;
    return undefined;
  }

  // fields are the names of what is to be filled in on the page.
  fields() { return (this.page.match(/<input[^>]*>/g) || []).map(tag => attribute(tag, 'name')); }

  // submit presses the first button of the page's form. What is typed must have a
  // field there.
  async submit(typed) {
    const [tag] = /<form[^>]*>/.exec(this.page) || assert.fail(`no form on ${this.url}: ${this.page}`);
    assert.equal(attribute(tag, 'method'), 'post');
    for (const name of Object.keys(typed)) assert(this.fields().includes(name), `no field ${name}: ${this.page}`);
    const [button] = /<button[^>]*>/.exec(this.page);
    const pressed = attribute(button, 'name') ? { [attribute(button, 'name')]: attribute(button, 'value') } : {};
    await this.go(new URL(attribute(tag, 'action'), this.url).href, new URLSearchParams(Object.assign(pressed, typed)));
  }

  get arrived() { return this.url.startsWith(this.home); }

  get asksPassword() { return !this.arrived && this.fields().includes('password'); }

  // logIn opens a login page and tries passwords until one is taken, or there are
  // no more. Where a provider asks then whether the app may know, it may.
  async logIn(url, name, passwords) {
    await this.go(url);
    for (const password of passwords) {
      if (this.asksPassword) await this.submit({ username: name, password });
    }
    if (!this.arrived && !this.asksPassword && this.page.includes('value="allow"')) await this.submit({});
  }
}

module.exports = { Browser };
