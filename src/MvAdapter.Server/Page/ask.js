// What all parts of the page need: elements, and asking the server.

const keyName = "mvadapter-key";

/** Numbers as they are read. */
export const number = new Intl.NumberFormat("en");

/** So many of something. */
export const counted = (count, what) => `${number.format(count)} ${what}${count === 1 ? "" : "s"}`;

/** An element with its properties and children; text is always text. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** What the server refused, in its own sentence. */
export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Asks the server; a refusal carries its sentence. */
export async function ask(address, options = {}) {
  const key = sessionStorage.getItem(keyName);
  const headers = { ...options.headers, ...key && { Authorization: `Bearer ${key}` } };
  const answer = await fetch(address, { ...options, headers });
  const body = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, body.detail ?? `The server answered ${answer.status}`);
  return body;
}

/** Changes something on the server. */
export const send = (address, body, method = "POST") =>
  ask(address, { method, headers: { "Content-Type": "application/json" }, ...body && { body: JSON.stringify(body) } });

export const keepKey = key => sessionStorage.setItem(keyName, key);

/** A name by which a change that is sent twice is made once. */
export const newToken = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");
