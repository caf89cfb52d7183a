import type { CodegenConfig } from "@graphql-codegen/cli";
import { addTypenameSelectionDocumentTransform } from "@graphql-codegen/client-preset";

const config: CodegenConfig = {
  schema: "../../schema/schema.graphql",
  documents: ["src/operations.ts"],
  generates: {
    "src/gql/": {
      preset: "client",
      // The documents are asked as they are written here, so __typename has to be in them.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      // Writes persisted-documents.json, which the operator registers, and each document's hash beside it.
      presetConfig: { fragmentMasking: false, persistedDocuments: { hashAlgorithm: "sha256" } },
      config: {
        // A scalar that is not mapped here ends the generation, instead of becoming `any`.
        strictScalars: true,
        scalars: { Date: "../scalars.js#Day", DateTime: "../scalars.js#Instant" },
        nonOptionalTypename: true,
        enumsAsTypes: true,
        useTypeImports: true,
        emitLegacyCommonJSImports: false,
      },
    },
  },
};

export default config;
