import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` shows the pages as they are written, with the API of a `joblink serve` on its usual port.
const api = { target: process.env['JOBLINK_URL'] ?? 'http://127.0.0.1:8080', ws: true };

export default defineConfig({
  root: 'src',
  base: '/console/',
  publicDir: false,
  plugins: [react()],
  server: { proxy: { '/graphql': api, '/uploads': api, '/artifacts': api } },
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // The server tells by their hashes whether files have changed, so their names need none.
        entryFileNames: 'assets/main.js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        codeSplitting: false,
      },
    },
  },
});
