// Shows the button that copies the text of the error, where the browser can.
(() => {
  const button = document.getElementById("copy"), text = document.getElementById("error");
  if (!button || !text || !navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.value);
    button.textContent = button.dataset.copied;
  });
})();
