/** What the view that is shown is called, for the document's title. */
class PageTitle {
  view = $state("");
}

export const pageTitle = new PageTitle();

/** Names the view for as long as the component is shown that calls this while it is made. Long names are cut. */
export function usePageTitle(title: () => string): void {
  $effect(() => {
    const name = title().trim().split("\n", 1)[0]!;
    pageTitle.view = name.length > 80 ? `${name.slice(0, 79)}…` : name;
    return () => {
      pageTitle.view = "";
    };
  });
}
