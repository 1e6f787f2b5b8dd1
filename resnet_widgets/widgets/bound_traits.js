// Traits of several models that are kept equal in the page, with no way through the kernel.

import { setTraits } from "./saving.js";
import { onChange, setTrait } from "./shared.js";

/**
 * Sets a trait of a model in the page only: the kernel hears of it from another one.
 * @param {any} model
 * @param {string} name
 * @param {unknown} value
 */
export function giveTrait(model, name, value) {
  if (JSON.stringify(model.get(name)) !== JSON.stringify(value)) model.set(name, value);
}

/**
 * Keeps traits of other models equal to a trait of `model`, and the other way round.
 * @param {any} model
 * @param {string} trait
 * @param {[any, string][]} others each with the name that the trait has there
 * @param {AbortSignal} signal
 * @param {{ later?: boolean }} [how] as for `setTraits`
 */
export function shareTrait(model, trait, others, signal, how) {
  const give = () => {
    for (const [other, name] of others) giveTrait(other, name, model.get(trait));
  };
  give();
  onChange(model, [trait], give, signal);
  for (const [other, name] of others) {
    onChange(other, [name], () => setTraits(model, { [trait]: other.get(name) }, how), signal);
  }
}

/**
 * Keeps a trait equal among models of which none is the first.
 * @param {string} trait
 * @param {any[]} among
 * @param {AbortSignal} signal
 */
export function uniteTrait(trait, among, signal) {
  for (const one of among) {
    const give = () => {
      for (const other of among) if (other !== one) setTrait(other, trait, one.get(trait));
    };
    onChange(one, [trait], give, signal);
  }
}
