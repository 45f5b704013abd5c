// SPDX-License-Identifier: Apache-2.0
// Icons: one path each on a 16 x 16 grid, drawn in the colour of the text.
const PATHS = {
  copy: "M5.5 5.5V3a1 1 0 0 1 1-1H13a1 1 0 0 1 1 1v6.5a1 1 0 0 1-1 1h-2.5M3 5.5h6.5a1 1 0 0 1 1 1V13a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V6.5a1 1 0 0 1 1-1z",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.300 4.300L11.300 8.800M9 11.5L7.5 13a3 3 0 0 1-4.300-4.300L4.700 7.2",
  close: "M4 4l8 8M12 4l-8 8",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.2l2 1.300",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.400 3.400l1 1M11.6 11.6l1 1M3.400 12.6l1-1M11.6 4.400l1-1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  auto: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5l4-1.5M8 8h6M8 11l4 1.5",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM6.300 6.300a1.800 1.800 0 1 1 2.6 1.6c-.6.3-.9.6-.9 1.2M8 11.2v.1",
  terminal: "M2.5 3.5h11v9h-11zM5 6.5l2 1.5-2 1.5M8.5 10h2.5",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.300 10.300L14 14",
  service: "M8 2l5.2 3v6L8 14l-5.2-3V5zM2.800 5L8 8l5.2-3M8 8v6",
  database: "M3 4.5C3 3 13 3 13 4.5v7C13 13 3 13 3 11.5zM3 4.5C3 6 13 6 13 4.5M3 8c0 1.5 10 1.5 10 0",
  messaging: "M2 5h5v6H2zM9 5h5v6H9zM4.5 5v6M11.5 5v6",
  external: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM2 8h12M8 2c-4 4-4 8 0 12M8 2c4 4 4 8 0 12",
  client: "M8 2.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM3 13.5c.5-5 9.5-5 10 0",
  export: "M8 2v8M5 7l3 3 3-3M2.5 11v2.5h11V11",
  filter: "M2.5 3.5h11L9.5 8.500v4.500l-3-1.5v-3z",
  key: "M5 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM7.5 8h6.500v2.5M11 8v2",
  back: "M10 3L5 8l5 5",
} as const;

export type IconName = keyof typeof PATHS;
export const iconPath = (name: IconName): string => PATHS[name];

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.3" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
