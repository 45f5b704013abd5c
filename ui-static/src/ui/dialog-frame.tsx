// SPDX-License-Identifier: Apache-2.0
// The frame of a dialog over the page: Escape and a click beside it close it, and the focus goes back to where it was.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { close } from "../state/dialog";
import { Icon } from "./icons";

interface Props {
  label: string;
  class: string;
  /** Buttons of the head; without a head the content has its own way to close it. */
  head?: ComponentChildren;
  children: ComponentChildren;
}

export function DialogFrame({ label, class: name, head, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  // One that goes since another takes its place tells so later, when the other is open.
  const here = useRef(true);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      here.current = false;
      element?.close();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${name}`}
      aria-label={label}
      onClose={() => here.current && close()}
      // By itself the browser says that it closed one with its next frame only: who opens it again before that would see it go.
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
        event.preventDefault();
        close();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      {head === undefined ? null : (
        <div class="dialog-head">
          <h2>{label}</h2>
          <span class="spring" />
          {head}
          <button type="button" class="button quiet square" aria-label={`Close ${label.toLowerCase()}`} onClick={close}>
            <Icon name="close" />
          </button>
        </div>
      )}
      {children}
    </dialog>
  );
}
