// Icons of the console: drawn here, so that none is fetched. They only repeat what a text says.
const icon = (path: string, strokeWidth = 1.6) =>
  function Icon() {
    return (
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        <path d={path} fill="none" stroke="currentColor" strokeWidth={strokeWidth} strokeLinecap="round" strokeLinejoin="round" />
      </svg>
    );
  };

export const ArrowUp = icon('M8 13V3.5M4 7l4-4 4 4');
export const ArrowDown = icon('M8 3v9.5M4 9l4 4 4-4');
export const Check = icon('M3.5 8.5l3 3 6-7');
export const ChevronDown = icon('M4 6l4 4 4-4');
export const ChevronLeft = icon('M10 3.5L5.5 8l4.5 4.5');
export const ChevronRight = icon('M6 3.5L10.5 8 6 12.5');
export const Cross = icon('M4 4l8 8M12 4l-8 8');
export const Dash = icon('M4 8h8');
export const Menu = icon('M2.5 4h11M2.5 8h11M2.5 12h11');
export const More = icon('M3.5 8h.01M8 8h.01M12.5 8h.01', 2.4);
export const Search = icon('M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8L14 14');
export const Warning = icon('M8 2.5L14.5 13.5h-13zM8 6.5v3.2M8 11.7v.1');
export const Lock = icon('M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5');
export const File = icon('M4 2h5l3 3v9H4zM9 2v3h3');
