import { defineConfig } from "vite";

export default defineConfig({
  base: "/graphiql/",
  build: {
    // The editor alone is over the default limit; it is served from the same machine.
    chunkSizeWarningLimit: 4000,
  },
});
