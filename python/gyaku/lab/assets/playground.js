export function mount(root) {
  root.innerHTML = '<h2 data-t="tab-playground"></h2>';
}
