// Whether there is still a kernel to answer. A page outlives its kernel: what it shows stays, and all
// that needs no kernel goes on, but it must say so.

const RESTARTED =
  "The kernel was restarted. Run this cell again; until then this is a still picture.";
const SILENT =
  "The kernel is not answering: busy, or gone. If it was restarted, run this cell again.";

/** Milliseconds that a question may take before the kernel is asked whether it is there. */
const PATIENCE = 4000;

/**
 * Watches the kernel behind a widget that answers `{ kind: "ping" }`.
 * @param {any} model
 * @param {(message: string) => void} tell  what a person should know; empty once it answers again
 * @param {AbortSignal} signal
 * @param {number} [patience]  milliseconds
 */
export function watchKernel(model, tell, signal, patience = PATIENCE) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let question;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let silence;
  const ping = (/** @type {string} */ message) => {
    clearTimeout(silence);
    silence = setTimeout(() => tell(message), patience);
    try {
      model.send({ kind: "ping" });
    } catch {
      tell(message);
    }
  };
  // Comes when the connection of this widget is cut, as by a restart, and when it is back.
  const changed = () => {
    tell(RESTARTED);
    ping(RESTARTED);
  };
  const heard = () => {
    clearTimeout(silence);
    tell("");
  };
  model.on("comm_live_update", changed);
  model.on("msg:custom", heard);
  signal.addEventListener("abort", () => {
    clearTimeout(question);
    clearTimeout(silence);
    model.off("comm_live_update", changed);
    model.off("msg:custom", heard);
  });
  return {
    /** Something was asked of the kernel. */
    asked() {
      clearTimeout(question);
      question = setTimeout(() => ping(SILENT), patience);
    },
    /** It is there, from the kernel or from what the page has kept. */
    answered: () => clearTimeout(question),
  };
}
