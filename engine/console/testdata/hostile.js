'use strict';
// Texts that become code or markup wherever a page takes them for more than text. Each
// calls pwned(n), opens a dialog or asks for an address; n is its number.

// Markup that does something by itself, in an element's content.
const elements = [
  n => `<script>pwned(${n})</script>`,
  n => `<script src="/pwned/${n}"></script>`,
  n => `<script type="module">pwned(${n})</script>`,
  n => `<ScRiPt >pwned(${n})</ScRiPt\t\n>`,
  n => `<scr<script>ipt>pwned(${n})</scr</script>ipt>`,
  n => `<img src=x onerror=pwned(${n})>`,
  n => `<img src=x onerror="pwned(${n})"//`,
  n => `<img/src/onerror=pwned(${n})>`,
  n => `<img src="/pwned/${n}">`,
  n => `<img srcset="/pwned/${n} 1x">`,
  n => `<image src=x onerror=pwned(${n})>`,
  n => `<svg onload=pwned(${n})>`,
  n => `<svg/onload=pwned(${n})>`,
  n => `<svg><script>pwned(${n})</script></svg>`,
  n => `<svg><script href="data:text/javascript,pwned(${n})"/></svg>`,
  n => `<svg><animate onbegin=pwned(${n}) attributeName=x dur=1s>`,
  n => `<svg><set onbegin=pwned(${n}) attributeName=x to=y>`,
  n => `<svg><a xlink:href="javascript:pwned(${n})"><text y=20>x</text></a></svg>`,
  n => `<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><image href='1' onerror='pwned(${n})'/></svg>#x"></svg>`,
  n => `<svg><foreignObject><body onload=pwned(${n})></foreignObject></svg>`,
  n => `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=pwned(${n})&gt;">`,
  n => `<math href="javascript:pwned(${n})">x</math>`,
  n => `<iframe src="javascript:pwned(${n})"></iframe>`,
  n => `<iframe srcdoc="<script>parent.pwned(${n})</script>"></iframe>`,
  n => `<iframe src="/pwned/${n}"></iframe>`,
  n => `<object data="javascript:pwned(${n})"></object>`,
  n => `<object data="/pwned/${n}"></object>`,
  n => `<embed src="javascript:pwned(${n})">`,
  n => `<video src=x onerror=pwned(${n})></video>`,
  n => `<video><source onerror=pwned(${n})></video>`,
  n => `<audio src=x onerror=pwned(${n})>`,
  n => `<body onload=pwned(${n})>`,
  n => `<body onpageshow=pwned(${n})>`,
  n => `<input autofocus onfocus=pwned(${n})>`,
  n => `<select autofocus onfocus=pwned(${n})>`,
  n => `<textarea autofocus onfocus=pwned(${n})>`,
  n => `<details open ontoggle=pwned(${n})>x</details>`,
  n => `<dialog open onclose=pwned(${n})><form method=dialog><button>x</button></form></dialog>`,
  n => `<div popover id=p${n} onbeforetoggle=pwned(${n})>x</div><button popovertarget=p${n}>x</button>`,
  n => `<marquee onstart=pwned(${n})>x</marquee>`,
  n => `<link rel=stylesheet href="/pwned/${n}">`,
  n => `<link rel=prefetch href="/pwned/${n}">`,
  n => `<style>@import "/pwned/${n}";</style>`,
  n => `<style>*{background:url(/pwned/${n})}</style>`,
  n => `<div style="background:url(/pwned/${n})">x</div>`,
  n => `<div style="animation:x 1ms" onanimationstart=pwned(${n})><style>@keyframes x{}</style></div>`,
  n => `<meta http-equiv=refresh content="0;url=/pwned/${n}">`,
  n => `<base href="//127.0.0.1:9/pwned/${n}/">`,
  n => `<form action="/pwned/${n}"><button>x</button></form>`,
  n => `<a href="javascript:pwned(${n})">x</a>`,
  n => `<a href="jav&#x09;ascript:pwned(${n})">x</a>`,
  n => `<a ping="/pwned/${n}" href="#">x</a>`,
  n => `<template><script>pwned(${n})</script></template>`,
  n => `<noscript><p title="</noscript><img src=x onerror=pwned(${n})>">`,
  n => `<xss id=x tabindex=1 onfocus=pwned(${n}) autofocus>`,
  n => `<custom-element onpointerover=pwned(${n}) onclick=pwned(${n})>x</custom-element>`,
  n => `<table background="/pwned/${n}"><td>x`,
  n => `<isindex type=image src=x onerror=pwned(${n})>`,
  n => `<![CDATA[<script>pwned(${n})</script>]]>`,
  n => `<?xml-stylesheet href="javascript:pwned(${n})"?>`,
];

// Ways out of where a text may stand: an attribute, a comment, another element.
const exits = [
  n => `"><img src=x onerror=pwned(${n})>`,
  n => `'><img src=x onerror=pwned(${n})>`,
  n => `\`><img src=x onerror=pwned(${n})>`,
  n => `"autofocus onfocus=pwned(${n}) x="`,
  n => `' onmouseover='pwned(${n})' x='`,
  n => `" onclick="pwned(${n})`,
  n => `x onpointerenter=pwned(${n})`,
  n => `--><img src=x onerror=pwned(${n})><!--`,
  n => `--!><svg onload=pwned(${n})>`,
  n => `</textarea><img src=x onerror=pwned(${n})>`,
  n => `</title><img src=x onerror=pwned(${n})>`,
  n => `</style><img src=x onerror=pwned(${n})>`,
  n => `</script><script>pwned(${n})</script>`,
  n => `</pre></code></div></main></body><img src=x onerror=pwned(${n})>`,
  n => `</dialog></form><svg onload=pwned(${n})>`,
  n => `</option></select><img src=x onerror=pwned(${n})>`,
  n => `';pwned(${n});//`,
  n => `";pwned(${n});//`,
  n => `\\";pwned(${n});//`,
  n => `\`;pwned(${n});//`,
  n => `);pwned(${n});(`,
  n => `}]});pwned(${n});({[{`,
  n => `*/pwned(${n})/*`,
  n => `\u2028pwned(${n})\u2029`,
  n => `\r\npwned(${n})\r\n`,
];

// Text that a template, a Markdown or a query would work with.
const templates = [
  n => `\${pwned(${n})}`,
  n => `{{pwned(${n})}}`,
  n => `{{constructor.constructor('pwned(${n})')()}}`,
  n => `{{$on.constructor('pwned(${n})')()}}`,
  n => `<%= pwned(${n}) %>`,
  n => `#{pwned(${n})}`,
  n => `[[pwned(${n})]]`,
  n => `{% pwned(${n}) %}`,
  n => `@(pwned(${n}))`,
  n => `[x](javascript:pwned(${n}))`,
  n => `![x](/pwned/${n})`,
  n => `![x" onerror="pwned(${n})](x)`,
  n => `<javascript:pwned(${n})>`,
  n => `{"$where":"pwned(${n})"}`,
  n => `=HYPERLINK("/pwned/${n}")`,
  n => `+pwned(${n})`,
  n => `v-html="pwned(${n})"`,
  n => `ng-init="pwned(${n})"`,
  n => `x-data="{y: pwned(${n})}"`,
  n => `on:click=pwned(${n})`,
];

// Addresses.
const addresses = [
  n => `javascript:pwned(${n})`,
  n => `JaVaScRiPt:pwned(${n})`,
  n => ` javascript:pwned(${n})`,
  n => `\u0001javascript:pwned(${n})`,
  n => `java\tscript:pwned(${n})`,
  n => `java\nscript:pwned(${n})`,
  n => `javascript://%0apwned(${n})`,
  n => `javascript:/*--></title></style>*/pwned(${n})//`,
  n => `javascript:void(pwned(${n}))`,
  n => `data:text/html,<script>pwned(${n})</script>`,
  n => `data:text/html;base64,${Buffer.from(`<script>pwned(${n})</script>`).toString('base64')}`,
  n => `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='pwned(${n})'/>`,
  n => `vbscript:pwned(${n})`,
  n => `blob:null/pwned/${n}`,
  n => `view-source:javascript:pwned(${n})`,
  n => `//127.0.0.1:9/pwned/${n}`,
  n => `/pwned/${n}`,
  n => `../../pwned/${n}`,
  n => `..%2f..%2fpwned/${n}`,
  n => `#/kid_acme/data/x?id=javascript:pwned(${n})`,
  n => `?q=<script>pwned(${n})</script>`,
];

// Text whose characters are the trick.
const characters = [
  n => `\u202e<script>pwned(${n})</script>\u202c`,
  n => `\u2066\u2067<img src=x onerror=pwned(${n})>\u2069`,
  n => `\u200b\u200c\u200d\ufeff<svg onload=pwned(${n})>`,
  n => `\uff1cscript\uff1epwned(${n})\uff1c/script\uff1e`,
  n => `\u02bascript\u02bapwned(${n})`,
  n => `&lt;script&gt;pwned(${n})&lt;/script&gt;`,
  n => `&#60;script&#62;pwned(${n})&#60;/script&#62;`,
  n => `&#x3C;img src=x onerror=pwned(${n})&#x3E;`,
  n => `%3Cscript%3Epwned(${n})%3C/script%3E`,
  n => `\\u003cscript\\u003epwned(${n})\\u003c/script\\u003e`,
  n => `\\x3cscript\\x3epwned(${n})\\x3c/script\\x3e`,
  n => `+ADw-script+AD4-pwned(${n})+ADw-/script+AD4-`,
  n => `<\u0000script>pwned(${n})</script>`.replace('\u0000', '\u0001'),
  n => `<script\u000bsrc=/pwned/${n}>`,
  n => `<script\u000c>pwned(${n})</script>`,
  n => `${'z\u0300\u0301\u0302\u0303'.repeat(40)}<img src=x onerror=pwned(${n})>`,
  n => `\u{1f4a9}\u{1f468}\u200d\u{1f469}\u200d\u{1f467}<svg onload=pwned(${n})>`,
  n => `\u05d0\u05d1\u05d2 <b onclick=pwned(${n})>\u0627\u0644</b>`,
  n => `${' '.repeat(200)}<img src=x onerror=pwned(${n})>`,
  n => `${'\n'.repeat(100)}<img src=x onerror=pwned(${n})>`,
  n => `${'A'.repeat(5000)}<img src=x onerror=pwned(${n})>`,
  n => `${'<b>'.repeat(500)}<img src=x onerror=pwned(${n})>`,
  n => `\u001b[31m<img src=x onerror=pwned(${n})>\u001b]8;;javascript:pwned(${n})\u0007`,
];

// Names that an object of JavaScript has of its own. They are no markup, but a page
// that keeps things by name stumbles over them.
const own = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', '__defineGetter__', 'then', 'toJSON', 'length', 'name',
  'innerHTML', 'outerHTML', 'srcdoc', 'onclick', 'onerror', 'style', 'href', 'src', 'is', 'nodeType', 'children', 'undefined', 'null', 'NaN', '0', 'true',
  'document', 'location', 'window', 'eval', 'dataset'].map(name => () => name);

// The rest are such elements where something stands before them that ends a context.
const made = [...elements, ...exits, ...templates, ...addresses, ...characters, ...own];
const before = ['"/>', "'/>", '-->', '</script>', '</textarea>', ']]>', '}}', '*/'];
for (let i = 0; made.length < 200; i += 1) {
  const element = elements[(i * 7) % elements.length];
  made.push(n => `${before[i % before.length]}${element(n)}`);
}

module.exports = { hostile: made.map((make, n) => make(n)) };
