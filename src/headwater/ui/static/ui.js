// The pages work without scripts; htmx makes them quicker. When a request of its fails on the way, the browser asks in
// the ordinary way instead, so that nobody sits before a page on which nothing happens.
document.addEventListener("htmx:error", (event) => {
  const request = event.detail.ctx?.request;
  if (request?.method === "GET" && !event.target.hasAttribute("hx-sse:connect")) {
    window.location.assign(request.action);
  }
});
