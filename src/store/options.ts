/** How a snapshot store is reached and opened. */
export interface StoreOptions {
  /** A folder (absolute), `s3://…` or `gs://…`. */
  readonly location: string;
  /** A folder that is written where the location cannot be reached, until `store sync`. */
  readonly fallback?: string;
  /** Encryption by reference; undefined: not encrypted. */
  readonly encryption?: StoreEncryption;
  /** Level of zstd. @default 1 */
  readonly level?: number;
}

/** Where the key comes from; files are absolute. */
export type StoreEncryption =
  | { readonly keyFile: string }
  | { readonly passphraseEnv: string }
  | { readonly passphraseFile: string };
