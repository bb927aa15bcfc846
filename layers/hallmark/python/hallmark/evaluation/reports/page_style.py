"""The style of the page: one column that fits a phone, light and dark, and paper."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--raised:#f6f7f9;--ink:#1a1d21;--soft:#59616b;--rule:#d8dce1;
--link:#0b57d0;
--good:#0f7a3d;--bad:#b3261e;--even:#0b57d0;--open:#6b7280;--plain:#3b4754;--good-wash:#e5f4ea;--bad-wash:#fbe9e7;
--even-wash:#e6eefb;--open-wash:#eef0f2;--t0:#0b57d0;--t1:#b3541e;--t2:#0f7a3d;--t3:#8430ce;--t4:#a3195b;--t5:#00707a;
--t6:#7a5c00;--t7:#5f6368}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--raised:#1d2126;--ink:#e6e8eb;--soft:#a2abb6;--rule:#363c44;
--link:#8ab4f8;--good:#6dd58c;--bad:#f2b8b5;--even:#8ab4f8;--open:#9aa4b0;--plain:#c3cad3;--good-wash:#15301f;
--bad-wash:#3a1c1a;--even-wash:#17263f;--open-wash:#252a30;--t0:#8ab4f8;--t1:#f5a97a;--t2:#6dd58c;--t3:#d0a9f5;
--t4:#f59bbd;--t5:#6fd3dc;--t6:#e0c060;--t7:#b0b7bf}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
-webkit-text-size-adjust:100%}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.75rem}
h1{font-size:clamp(1.3rem,1rem + 1.6vw,1.9rem);line-height:1.25;margin:.2rem 0 .6rem;text-wrap:balance}
h2{font-size:1.2rem;margin:2.4rem 0 .7rem;padding-top:.9rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.3rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}
.over{color:var(--soft);margin:0;font-size:.95rem}
.facts{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;margin:.6rem 0 0;padding:0;list-style:none;color:var(--soft);
font-size:.9rem}
.facts b{color:var(--ink);font-weight:600}
.notes{background:var(--raised);border-left:4px solid var(--even);padding:.6rem 1rem;margin:1.2rem 0;
border-radius:0 6px 6px 0}
.notes ul{margin:.2rem 0;padding-left:1.1rem}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.2rem 2rem;
align-items:start}
figure{margin:0;min-width:0;break-inside:avoid}
figcaption{font-weight:600;font-size:.95rem;margin-bottom:.2rem}
figcaption small{font-weight:400;color:var(--soft)}
svg{width:100%;max-width:38rem;height:auto;display:block;overflow:visible}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink);
font-variant-numeric:tabular-nums}
svg .tick,svg .caption{fill:var(--soft)}svg .tick{font-size:12px}svg .small{font-size:12px}
.grid{stroke:var(--rule);stroke-width:1}.zero{stroke:var(--ink);stroke-width:1.4}
.break{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:3 3}
.margin{fill:var(--even-wash)}.trend{fill:none;stroke:var(--plain);stroke-width:1.6}
.bar{stroke:var(--plain);stroke-width:2.2}.bar.thin{stroke-width:1.3;opacity:.75}.dot{fill:var(--plain);
stroke:var(--paper);stroke-width:1}
.bar.good{stroke:var(--good)}.bar.bad{stroke:var(--bad)}.bar.even{stroke:var(--even)}.bar.open{stroke:var(--open)}
.dot.good,.fill.good{fill:var(--good)}.dot.bad,.fill.bad{fill:var(--bad)}.dot.even{fill:var(--even)}
.dot.open,.fill.open{fill:var(--open)}.fill.open{opacity:.45}
.bar.good{stroke-dasharray:none}.dot.hollow{fill:var(--paper);stroke:var(--open);stroke-width:2}
.bar.t0{stroke:var(--t0)}.dot.t0{fill:var(--t0)}.bar.t1{stroke:var(--t1)}.dot.t1{fill:var(--t1)}
.bar.t2{stroke:var(--t2)}.dot.t2{fill:var(--t2)}.bar.t3{stroke:var(--t3)}.dot.t3{fill:var(--t3)}
.bar.t4{stroke:var(--t4)}.dot.t4{fill:var(--t4)}.bar.t5{stroke:var(--t5)}.dot.t5{fill:var(--t5)}
.bar.t6{stroke:var(--t6)}.dot.t6{fill:var(--t6)}.bar.t7{stroke:var(--t7)}.dot.t7{fill:var(--t7)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:.2rem 0;padding:0;font-size:.88rem}
.legend i{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.4em}
i.t0{background:var(--t0)}i.t1{background:var(--t1)}i.t2{background:var(--t2)}i.t3{background:var(--t3)}
i.t4{background:var(--t4)}
i.t5{background:var(--t5)}i.t6{background:var(--t6)}i.t7{background:var(--t7)}
.scroll{overflow-x:auto;margin:.6rem 0;border:1px solid var(--rule);border-radius:6px}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:3px solid var(--even);outline-offset:2px}
table{border-collapse:collapse;font-size:.88rem;width:100%;font-variant-numeric:tabular-nums}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
th,td{padding:.4rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
tr:last-child>*{border-bottom:0}
thead th{background:var(--raised);font-weight:600;white-space:nowrap}
tbody th{font-weight:600;white-space:nowrap;position:sticky;left:0;background:var(--paper)}
td.n,th.n{text-align:right;white-space:nowrap}
td.remark{min-width:15rem}td.name{white-space:nowrap}
.note{color:var(--soft);font-size:.85rem;margin:.3rem 0 0}
.verdict{display:inline-block;padding:.05rem .55rem;border-radius:1rem;font-weight:600;white-space:nowrap;
background:var(--open-wash);color:var(--ink)}
.verdict.good{background:var(--good-wash);color:var(--good)}.verdict.bad{background:var(--bad-wash);color:var(--bad)}
.verdict.even{background:var(--even-wash);color:var(--even)}
details{margin:.7rem 0;border:1px solid var(--rule);border-radius:6px;padding:.1rem .9rem}
summary{cursor:pointer;font-weight:600;padding:.45rem 0}
details[open]{padding-bottom:.7rem}
.case{border:1px solid var(--rule);border-radius:6px;padding:.2rem .9rem .8rem;margin:.9rem 0;break-inside:avoid}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:.8rem}
.said{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--raised);border-radius:6px;padding:.5rem .7rem;
margin:.2rem 0;
max-height:22rem;overflow-y:auto;font-size:.93rem}
.who{font-weight:600;font-size:.9rem;margin:.6rem 0 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:.85rem;margin-top:3rem;padding-bottom:2rem}
@media (max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}th,td{padding:.35rem .5rem}}
@media print{:root{--paper:#fff;--raised:#f3f3f3;--ink:#000;--soft:#444;--rule:#bbb;--good:#0f7a3d;--bad:#b3261e;
--even:#0b57d0;
--open:#555;--plain:#333}body{font-size:10pt}main,header,footer{max-width:none;padding:0}.scroll{overflow:visible;
border:0}
.said{max-height:none}h2{break-after:avoid}tr{break-inside:avoid}details{border:0;padding:0}table{font-size:8pt}
th,td{padding:.15rem .3rem}thead th,tbody th,td.n,th.n{white-space:normal}}
"""
