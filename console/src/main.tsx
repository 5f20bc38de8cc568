import { createRoot } from 'react-dom/client';
import { App } from './app';
import './styles/base.css';
import './styles/controls.css';
import './styles/deletion.css';
import './styles/job.css';
import './styles/list.css';
import './styles/jobs.css';
import './styles/audit.css';
import './styles/predictions.css';
import './styles/upload.css';
import './styles/admin.css';

createRoot(document.getElementById('root')!).render(<App />);
