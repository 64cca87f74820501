// QuickJS has neither TextEncoder nor TextDecoder.

export const encode = (text: string): Uint8Array =>
  Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));

/** The text of bytes; what is not UTF-8 is read as Latin-1. */
export function decode(bytes: Uint8Array): string {
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  try {
    return decodeURIComponent(escape(latin1));
  } catch {
    return latin1;
  }
}
