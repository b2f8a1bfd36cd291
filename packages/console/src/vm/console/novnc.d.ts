/** What of noVNC is used here; the package brings no types. */
declare module '@novnc/novnc' {
  interface Options {
    shared?: boolean
    wsProtocols?: string[]
  }

  interface Events {
    connect: CustomEvent<undefined>
    /** `clean`: ended in good order, by either side. */
    disconnect: CustomEvent<{ clean: boolean }>
    securityfailure: CustomEvent<{ status: number; reason?: string }>
    /** The guest has put a text on the clipboard. */
    clipboard: CustomEvent<{ text: string }>
  }

  /** A display, drawn into an element of the page. */
  export default class RFB {
    constructor(target: Element, url: string, options?: Options)
    viewOnly: boolean
    scaleViewport: boolean
    clipViewport: boolean
    background: string
    showDotCursor: boolean
    addEventListener<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): void
    disconnect(): void
    focus(options?: FocusOptions): void
    blur(): void
    sendCtrlAltDel(): void
    clipboardPasteFrom(text: string): void
  }
}
