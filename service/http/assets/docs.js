// Renders the service's own document. No validator: that would send the document to another host.
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  showExtensions: true,
  validatorUrl: null,
});
