/**
 * The page's script: one text, so that its hash can stand in the Content-Security-Policy.
 * It listens for events and swaps the parts marked `data-live` for freshly rendered ones; without it the page works too.
 */

export const SCRIPT = `
(() => {
  const button = document.getElementById('live');
  const events = document.body.dataset.events;
  if (!button || !events) return;
  let isOn = true;
  try { isOn = localStorage.getItem('assay-live') !== 'off'; } catch {}
  let source = null;
  let pause = 0;
  let isBusy = false;
  let isStale = false;

  function say(state) {
    button.dataset.state = state;
    button.setAttribute('aria-pressed', String(isOn));
    button.title = { on: 'This page follows what happens', off: 'This page stands still', waiting: 'No connection to the server yet' }[state];
  }

  function later(ms) {
    if (!pause) pause = setTimeout(() => { pause = 0; refresh(); }, ms);
  }

  async function refresh() {
    if (isBusy) { isStale = true; return; }
    isBusy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    } catch {}
    isBusy = false;
    if (isStale) { isStale = false; later(400); }
  }

  function swap(fresh) {
    for (const part of document.querySelectorAll('[data-live]')) {
      const next = fresh.getElementById(part.id);
      if (!next || next.innerHTML === part.innerHTML) continue;
      const focus = part.contains(document.activeElement) ? document.activeElement : null;
      const href = focus && focus.getAttribute('href');
      part.replaceChildren(...document.importNode(next, true).childNodes);
      if (!focus) continue;
      const again = focus.id
        ? document.getElementById(focus.id)
        : [...part.querySelectorAll('a')].find((link) => link.getAttribute('href') === href);
      if (again) again.focus({ preventScroll: true });
    }
  }

  function open() {
    if (source || !isOn || document.hidden) return;
    source = new EventSource(events);
    source.onopen = () => { say('on'); refresh(); };
    source.onerror = () => say('waiting');
    for (const kind of ['run', 'task', 'resync']) source.addEventListener(kind, () => later(500));
    source.addEventListener('progress', () => later(1500));
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  button.hidden = false;
  button.addEventListener('click', () => {
    isOn = !isOn;
    try { localStorage.setItem('assay-live', isOn ? 'on' : 'off'); } catch {}
    if (isOn) { say('waiting'); open(); } else { close(); say('off'); }
  });
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', open);
  setInterval(() => {
    if (source && document.querySelector('[data-running]')) later(0);
  }, 5000);
  say(isOn ? 'waiting' : 'off');
  open();
})();
`;
