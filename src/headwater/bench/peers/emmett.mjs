// emmett on PostgreSQL: commands per second. node emmett.mjs URL SECONDS ORDERS TASKS; prints one number.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const required = createRequire(`${process.env.HEADWATER_BENCH_NODE}/`);
const module = await import(pathToFileURL(required.resolve('@event-driven-io/emmett-postgresql')).href);
const { getPostgreSQLEventStore } = module.default ?? module;

const [url, seconds, orders, tasks] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const line = {
  customer_id: '0190a7f2-3c1e-7d44-9b5e-2f6a1c8d0e12', sku: 'SKU-000123', quantity: 3, price: 1999, currency: 'EUR',
  note: 'left at the door, please ring the bell twice or wait',
};
const added = (order) => ({ type: 'LineAdded', data: { order_id: order, ...line } });
const order = {
  initialState: () => ({ lines: 0, total: 0 }),
  evolve: (state, event) => ({ lines: state.lines + 1, total: state.total + event.data.quantity * event.data.price }),
};

const store = getPostgreSQLEventStore(url);
const names = Array.from({ length: orders }, (_, number) => `order-${number}`);
for (const name of names) await store.appendToStream(name, Array.from({ length: 9 }, () => added(name)));

let turn = 0;
const command = async () => {
  const name = names[turn++ % names.length];
  const found = await store.aggregateStream(name, order);
  await store.appendToStream(name, [added(name)], { expectedStreamVersion: found.currentStreamVersion });
};

for (let call = 0; call < 3; call++) await command();
const started = performance.now();
let done = 0;
const client = async () => {
  while (performance.now() - started < seconds * 1000) { await command(); done++; }
};
await Promise.all(Array.from({ length: tasks }, client));
console.log(done / ((performance.now() - started) / 1000));
process.exit(0);
