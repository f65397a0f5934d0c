/* Numbers as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/* 12,345 */
export const number = (n) => (Number.isFinite(n) ? whole.format(n) : "–");

/* 12.3K from 100,000 on, and in narrow places. */
export const compact = (n, from = 100_000) => (Number.isFinite(n) ? (Math.abs(n) < from ? whole.format(n) : short.format(n)) : "–");

/* A rate: exact where it is small, since 0 and 0.2 differ. */
export const rate = (n) => {
  if (!Number.isFinite(n)) return "–";
  if (n === 0) return "0";
  if (n < 0.1) return "<0.1";
  return n < 10 ? n.toFixed(1) : compact(n, 10_000);
};

/* 1 job, 2 jobs */
export const count = (n, noun, plural = `${noun}s`) => `${number(n)} ${n === 1 ? noun : plural}`;

export const percent = (part, of) => (of > 0 ? `${(100 * part / of).toFixed(part / of < 0.1 && part > 0 ? 1 : 0)} %` : "–");

/* 812 MiB */
export const bytes = (n) => {
  if (!Number.isFinite(n)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at += 1;
  }
  return `${n < 10 && at > 0 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
};

/* 340 ms, 2.4 s, 3 min 20 s, 2 h 5 min, 3 d 4 h */
export const duration = (ms) => {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 0) ms = 0;
  if (ms < 1) return ms === 0 ? "0 ms" : "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const parts = (big, unit, small, rest) => (small ? `${big} ${unit} ${small} ${rest}` : `${big} ${unit}`);
  const minutes = Math.round(seconds);
  if (minutes < 3600) return parts(Math.floor(minutes / 60), "min", minutes % 60, "s");
  const hours = Math.round(seconds / 60);
  if (hours < 1440) return parts(Math.floor(hours / 60), "h", hours % 60, "min");
  const days = Math.round(seconds / 3600);
  return parts(Math.floor(days / 24), "d", days % 24, "h");
};

/* A rate of a limit: 100 a second, 5 in 10 s. */
export const limitRate = ({ jobs, per_ms: ms }) => (ms === 1000 ? `${number(jobs)} a second` : ms === 60_000 ? `${number(jobs)} a minute` : `${number(jobs)} in ${duration(ms)}`);
