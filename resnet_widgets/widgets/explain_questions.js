// Questions to the kernel: of each kind one at a time, and the newest counts.

import { areSame } from "./explain_edits.js";
import { saveNow } from "./saving.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/** How often a question is asked before an answer for other edits is taken as it is. */
const TRIES = 3;

/**
 * Questions of one view to the kernel; of each kind only the newest is answered.
 * @param {any} model
 * @param {AbortSignal} signal
 * @returns {Pick<Panel, "ask" | "cancel">}
 */
export function questions(model, signal) {
  /**
   * @type {Map<string, { id: number, edits: any[], tries: number, send: () => void,
   *   resolve: Function, reject: Function, onProgress?: Function }>}
   */
  const open = new Map();
  // Another view, or this one before a reload, may have questions open at the same kernel.
  let last = Math.floor(Math.random() * 2 ** 40);
  const view = String(last);
  /**
   * While a notebook waits for the kernel to take one change it holds the next one back, so a
   * question can be answered for older edits. Where there are others by now it is not asked again.
   * @param {{ edits: any[] }} question @param {any[]} [answered] the edits that the answer is for
   */
  function isOvertaken(question, answered) {
    const edits = model.get("edits");
    return answered && areSame(edits, question.edits) && !areSame(edits, answered);
  }
  function receive(/** @type {any} */ message, /** @type {DataView[]} */ buffers) {
    const question = open.get(message.what);
    if (!question || question.id !== message.id) return;
    if (message.kind === "progress") {
      question.onProgress?.({ share: message.share, text: message.text, buffers });
      return;
    }
    const isAnswer = message.kind === "answer";
    if (isAnswer && question.tries < TRIES && isOvertaken(question, message.data.edits)) {
      question.tries += 1;
      question.send();
      return;
    }
    open.delete(message.what);
    if (isAnswer) question.resolve({ data: message.data, buffers });
    else question.reject(new Error(message.message));
  }
  const cancel = (/** @type {string} */ what) => model.send({ kind: "cancel", what, view });
  /** Nobody is here for the answers any more. */
  const letGo = () => [...open.keys()].forEach(cancel);
  model.on("msg:custom", receive);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", receive);
    try {
      letGo();
    } catch {
      // Without a kernel nobody computes.
    }
  });
  window.addEventListener("pagehide", letGo, { signal });
  return {
    ask(what, options = {}, onProgress) {
      open.get(what)?.resolve(null);
      return new Promise((resolve, reject) => {
        const id = ++last;
        const send = () => model.send({ kind: "ask", id, view, what, options });
        const about = { edits: model.get("edits"), tries: 1, send };
        open.set(what, { id, ...about, resolve, reject, onProgress });
        saveNow();
        send();
      });
    },
    cancel,
  };
}

/** How long a question holds back the next one, in milliseconds: its answer may be lost. */
const PATIENCE = 8000;

/**
 * Runs `task`, never twice at once: while it runs, the last of all calls waits until it has ended,
 * has failed, or is late. Who called hears of an error, unless a newer call takes its place.
 * @param {() => Promise<void>} task
 */
export function oneAtATime(task) {
  let isRunning = false;
  let again = false;
  return async () => {
    again = true;
    if (isRunning) return;
    isRunning = true;
    /** @type {Promise<void> | undefined} */
    let newest;
    try {
      while (again) {
        again = false;
        newest = task();
        let timer = 0;
        const late = new Promise((resolve) => {
          timer = setTimeout(resolve, PATIENCE);
        });
        try {
          await Promise.race([newest, late]);
        } catch (error) {
          if (!again) throw error;
        } finally {
          clearTimeout(timer);
        }
      }
    } finally {
      isRunning = false;
    }
    await newest;
  };
}
