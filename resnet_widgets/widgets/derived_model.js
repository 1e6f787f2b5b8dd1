// A model that is another one but for a few traits of its own.

/**
 * @param {any} base where all other traits are read, set, and listened to
 * @param {Record<string, unknown>} own traits that are not those of `base`; they never leave the page
 */
export function derivedModel(base, own) {
  /** @type {Map<string, Set<() => void>>} */
  const listeners = new Map();
  const traitOf = (/** @type {string} */ event) => event.replace("change:", "");
  return {
    get: (/** @type {string} */ name) => (name in own ? own[name] : base.get(name)),
    set(/** @type {string} */ name, /** @type {unknown} */ value) {
      if (!(name in own)) base.set(name, value);
      else if (JSON.stringify(own[name]) !== JSON.stringify(value)) {
        own[name] = value;
        for (const listener of [...(listeners.get(name) ?? [])]) listener();
      }
    },
    save_changes: () => base.save_changes(),
    send: (/** @type {any[]} */ ...message) => base.send(...message),
    on(/** @type {string} */ event, /** @type {() => void} */ listener) {
      const name = traitOf(event);
      if (!(name in own)) base.on(event, listener);
      else listeners.set(name, (listeners.get(name) ?? new Set()).add(listener));
    },
    off(/** @type {string} */ event, /** @type {() => void} */ listener) {
      const name = traitOf(event);
      if (!(name in own)) base.off(event, listener);
      else listeners.get(name)?.delete(listener);
    },
  };
}
