// Putting the page together, the address, and the keys.

let left = null; // where the reader was in the report: [scroll, element with the focus]

function follow() {
  const wanted = readAddress(location.hash);
  const open = wanted !== null && openBrowser(wanted);
  const was = !$('browser').hidden;
  if (open && !was) {
    left = [window.scrollY, document.activeElement];
    samples.entered = false;
  }
  $('browser').hidden = !open;
  $('report').hidden = open;
  document.body.classList.toggle('browsing', open);
  if (open) {
    if (!was) window.scrollTo(0, 0);
    document.title = samples.questions[samples.at] ? samples.questions[samples.at].name + ' \u2013 ' + page.title : page.title;
    return;
  }
  document.title = page.title;
  if (was && left) {
    window.scrollTo(0, left[0]);
    left[1]?.focus?.({ preventScroll: true });
  } else if (location.hash.length > 1) {
    const target = $(location.hash.slice(1));
    if (target && target.tagName === 'DETAILS') target.open = true;
    target?.scrollIntoView();
  }
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== 'checkbox';
  const browsing = !$('browser').hidden;
  if (event.key === 'Escape') {
    const open = document.querySelector('details.pick[open]');
    if (open) open.open = false;
    else if (typing) event.target.blur();
    else if (browsing) location.hash = '#leaderboard';
    return;
  }
  if (typing) return;
  if (event.key === '/') {
    event.preventDefault();
    $(browsing ? 'question-filter' : 'filter')?.focus();
  } else if (browsing) {
    if (event.key === 'n') step(1);
    else if (event.key === 'p') step(-1);
    else if (event.key === 't') toggle('raw');
    else if (event.key === 'g') toggle('grouped');
    else if (event.key === 'd') toggle('differing');
  }
}

function navigation() {
  const links = [['leaderboard', 'Leaderboard']];
  if (page.tables.length) links.push(['table-0', 'Tables']);
  if (page.figures.length) links.push([page.figures.length > 1 ? 'more-figures' : 'figures', 'Figures']);
  if (page.protocols.length) links.push(['protocols', 'Protocols']);
  if (page.notes.length) links.push(['notes', 'Notes']);
  links.push(['how', 'How to read this']);
  $('nav').replaceChildren(
    ...links.map(([id, title]) => el('a', { href: '#' + id }, title)),
    el('a', { href: '#sample=', id: 'nav-samples', hidden: true }, 'Samples'),
  );
}

navigation();
$('report').replaceChildren(
  ...[introSection(), boardSection(), tableSections(), figureSection(), protocolSection(), noteSection()].flat().filter(Boolean),
);
drawBoard();
document.addEventListener('keydown', keys);
// Menus close when the reader turns to something else.
document.addEventListener('click', (event) => {
  for (const open of document.querySelectorAll('details.pick[open]')) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener('DOMContentLoaded', () => {
  readIndex();
  offerSamples(document);
  $('nav-samples').hidden = samples.questions.length === 0;
  showFigures();
  window.addEventListener('hashchange', follow);
  follow();
  document.documentElement.dataset.ready = 'true';
});
