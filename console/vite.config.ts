import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` shows the pages as they are written, with the API of a `joblink serve` on its usual port.
const api = { target: process.env['JOBLINK_URL'] ?? 'http://127.0.0.1:8080', ws: true };

export default defineConfig({
  root: 'src',
  base: '/console/',
  publicDir: false,
  plugins: [react()],
  server: { proxy: { '/graphql': api, '/uploads': api, '/artifacts': api, '/backfill': api } },
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // Pages are fetched when they are gone to. By their names they are of one build: one that a server of another
        // version has no more is not there, instead of being another one.
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
});
